"""Who a picture shows."""
