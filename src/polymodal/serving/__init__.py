"""A trained model as a server: questions over HTTP, a page for people, limits for strangers."""
