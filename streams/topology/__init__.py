"""A drawing of the application: the graph it is, a layout of it, and the layout as text or SVG."""
