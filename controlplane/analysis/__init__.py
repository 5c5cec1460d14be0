"""What documents mean to each other and to services: problems that no document has by itself."""
