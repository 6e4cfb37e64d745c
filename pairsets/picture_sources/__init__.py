"""Sources of pictures other than a folder of files: buckets, tar shards, Parquet shards."""
