"""Files that lie beside a pair file or say something of its faces."""
