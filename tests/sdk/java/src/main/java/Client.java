import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.EvaluationContext;
import dev.openfeature.sdk.FlagEvaluationDetails;
import dev.openfeature.sdk.ImmutableContext;
import dev.openfeature.sdk.MutableStructure;
import dev.openfeature.sdk.OpenFeatureAPI;
import dev.openfeature.sdk.Structure;
import dev.openfeature.sdk.Value;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The SDK of Java: {@code java Client BASE_URL}. A JSON line {"flag","type","default","context"} in, a JSON line of
 * details out, in order.
 */
public final class Client {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Client() {}

    public static void main(String[] arguments) throws Exception {
        OpenFeatureAPI api = OpenFeatureAPI.getInstance();
        OfrepProviderOptions options = OfrepProviderOptions.builder().baseUrl(arguments[0]).build();
        api.setProviderAndWait(OfrepProvider.constructProvider(options));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        out.println("{\"ready\":true}");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(JSON.writeValueAsString(answer(api.getClient(), JSON.readTree(line))));
        }
        api.shutdown();
        System.exit(0); // the provider's HTTP client keeps threads of its own
    }

    private static Map<String, Object> answer(dev.openfeature.sdk.Client client, JsonNode request) throws IOException {
        String flag = request.get("flag").asText();
        JsonNode fallback = request.get("default");
        EvaluationContext context = context(request.get("context"));
        switch (request.get("type").asText()) {
            case "boolean":
                return details(client.getBooleanDetails(flag, fallback.asBoolean(), context));
            case "string":
                return details(client.getStringDetails(flag, fallback.asText(), context));
            case "integer":
                return details(client.getIntegerDetails(flag, fallback.asInt(), context));
            case "float":
                return details(client.getDoubleDetails(flag, fallback.asDouble(), context));
            case "object":
                return details(client.getObjectDetails(flag, value(fallback), context));
            default:
                throw new IOException("unknown type " + request.get("type"));
        }
    }

    private static <T> Map<String, Object> details(FlagEvaluationDetails<T> found) {
        Map<String, Object> result = new LinkedHashMap<>();
        T value = found.getValue();
        result.put("value", value instanceof Value ? plain((Value) value) : value);
        result.put("variant", found.getVariant());
        result.put("reason", found.getReason());
        result.put("errorCode", found.getErrorCode() == null ? null : found.getErrorCode().name());
        result.put("flagMetadata", found.getFlagMetadata().asUnmodifiableMap());
        return result;
    }

    /** Null where the request has no context: the SDK is then called with none. */
    private static EvaluationContext context(JsonNode json) throws IOException {
        if (json == null || json.isNull()) {
            return null;
        }
        Map<String, Value> attributes = new HashMap<>();
        for (Map.Entry<String, JsonNode> field : json.properties()) {
            attributes.put(field.getKey(), value(field.getValue()));
        }
        return new ImmutableContext(attributes);
    }

    private static Value value(JsonNode json) throws IOException {
        switch (json.getNodeType()) {
            case BOOLEAN:
                return new Value(json.asBoolean());
            case STRING:
                return new Value(json.asText());
            case NUMBER:
                return json.isInt() ? new Value(json.asInt()) : new Value(json.asDouble());
            case ARRAY:
                List<Value> list = new ArrayList<>();
                for (JsonNode entry : json) {
                    list.add(value(entry));
                }
                return new Value(list);
            case OBJECT:
                MutableStructure structure = new MutableStructure();
                for (Map.Entry<String, JsonNode> field : json.properties()) {
                    structure.add(field.getKey(), value(field.getValue()));
                }
                return new Value(structure);
            default:
                return new Value();
        }
    }

    private static Object plain(Value value) {
        if (value.isStructure()) {
            Structure structure = value.asStructure();
            Map<String, Object> map = new LinkedHashMap<>();
            for (String name : structure.keySet()) {
                Value field = structure.getValue(name);
                map.put(name, field == null ? null : plain(field));
            }
            return map;
        }
        if (value.isList()) {
            List<Object> list = new ArrayList<>();
            for (Value entry : value.asList()) {
                list.add(entry == null ? null : plain(entry));
            }
            return list;
        }
        return value.asObject();
    }
}
