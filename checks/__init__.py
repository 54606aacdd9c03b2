"""What `make check` looks at beside the linters."""
