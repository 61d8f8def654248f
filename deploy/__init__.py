"""Local broker, container and dashboard resources."""
