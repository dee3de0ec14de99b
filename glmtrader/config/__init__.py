"""Configuration: the schema of the TOML file, its loading, and the type that holds secrets."""
