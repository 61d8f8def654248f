"""The DLP scanner as a program: model files, inference, policy files, HTTP."""
