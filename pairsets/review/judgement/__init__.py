"""Who judges which pair next, and what everybody says now."""
