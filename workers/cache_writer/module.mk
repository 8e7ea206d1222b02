# cache_writer
