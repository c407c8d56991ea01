"""libweir.so by its public face (rules/weir.h), for tests that compare it with other evaluators."""
import ctypes
import json


class Decision(ctypes.Structure):
    _fields_ = [("reason", ctypes.c_int), ("error_code", ctypes.c_int), ("error_details", ctypes.c_char_p),
                ("value", ctypes.c_void_p), ("value_length", ctypes.c_size_t), ("variant", ctypes.c_void_p),
                ("variant_length", ctypes.c_size_t), ("metadata", ctypes.c_void_p), ("metadata_length", ctypes.c_size_t),
                ("resolved", ctypes.c_void_p), ("resolved_length", ctypes.c_size_t)]


class Options(ctypes.Structure):
    _fields_ = [("fractional", ctypes.c_int), ("strict", ctypes.c_int)]


class Refused(Exception):
    """What weir_document_read() or weir_context_read() says of bad input."""


def text_of(pointer, length):
    return ctypes.string_at(pointer, length).decode(errors="surrogatepass") if pointer else None


class Weir:
    """A flagd document, and one context at a time."""

    def __init__(self, library, document, fractional="v2", strict=False):
        self.library = ctypes.CDLL(str(library))
        for name in ("weir_document_read", "weir_context_new", "weir_explain"):
            getattr(self.library, name).restype = ctypes.c_void_p
        for name in ("weir_reason_name", "weir_error_code_name"):
            getattr(self.library, name).restype = ctypes.c_char_p
        self.error = ctypes.create_string_buffer(300)
        options = Options(["v2", "v3"].index(fractional), strict)
        self.document = ctypes.c_void_p(self.library.weir_document_read(
            document, ctypes.c_size_t(len(document)), ctypes.byref(options), self.error))
        if not self.document:
            raise Refused(self.error.raw[12:].split(b"\0")[0].decode())
        self.context = ctypes.c_void_p(self.library.weir_context_new())

    def close(self):
        self.library.weir_context_free(self.context)
        self.library.weir_document_release(self.document)

    def read(self, context):
        """Keeps the bytes: the context looks into them."""
        self.text = context if isinstance(context, bytes) else json.dumps(context).encode()
        if self.library.weir_context_read(self.context, self.document, self.text, ctypes.c_size_t(len(self.text)),
                                          self.error):
            raise Refused(self.error.raw[12:].split(b"\0")[0].decode())

    def decide(self, flag, context, now):
        """{"value", "variant", "reason", "errorCode"}, None where absent; "resolved" where no variant is called that."""
        self.read(context)
        made = Decision()
        self.library.weir_evaluate(self.document, flag.encode(), self.context, ctypes.c_int64(now), ctypes.byref(made))
        code = self.library.weir_error_code_name(made.error_code).decode()
        value = json.loads(ctypes.string_at(made.value, made.value_length)) if made.value else None
        self.details = made.error_details
        self.metadata = json.loads(ctypes.string_at(made.metadata, made.metadata_length)) if made.metadata else None
        decision = {"value": value, "variant": text_of(made.variant, made.variant_length),
                    "reason": self.library.weir_reason_name(made.reason).decode(), "errorCode": code or None}
        if made.resolved:
            decision["resolved"] = text_of(made.resolved, made.resolved_length)
        return decision
