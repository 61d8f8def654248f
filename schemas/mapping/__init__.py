"""Mapping of foreign messages and rows to events; docs/mapping.md is the manual."""

from schemas.mapping.check import Sample, check
from schemas.mapping.mapper import Mapper
from schemas.mapping.model import Mapping
from schemas.mapping.origin import Origin
from schemas.mapping.report import CheckReport
from schemas.mapping.yaml_file import load_mapping, parse_mapping

__all__ = [
    "CheckReport",
    "Mapper",
    "Mapping",
    "Origin",
    "Sample",
    "check",
    "load_mapping",
    "parse_mapping",
]
