"""The SDK of Python over OFREP: `ofrep.py BASE_URL`."""
import sys

from lines import serve
from openfeature.contrib.provider.ofrep import OFREPProvider

serve(OFREPProvider(sys.argv[1]))
