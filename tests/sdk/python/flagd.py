"""The SDK of Python with flagd's evaluator in process: `flagd.py DOCUMENT`, the file that `weir build` writes."""
import os
import sys

from lines import serve
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType

os.environ["FLAGD_OFFLINE_POLL_MS"] = "50"  # the provider takes it from nowhere else
serve(FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=sys.argv[1]))
