import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.openfeature.contrib.providers.flagd.Config;
import dev.openfeature.contrib.providers.flagd.FlagdOptions;
import dev.openfeature.contrib.providers.flagd.FlagdProvider;
import dev.openfeature.sdk.EvaluationContext;
import dev.openfeature.sdk.ImmutableContext;
import dev.openfeature.sdk.MutableStructure;
import dev.openfeature.sdk.ProviderEvaluation;
import dev.openfeature.sdk.Value;
import dev.openfeature.sdk.exceptions.OpenFeatureError;
import java.io.BufferedReader;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What Java's flagd provider answers in FILE mode: lines in and out as in npm/oracle.mjs. A value is asked for by the
 * type of the flag's variants, as applications do; errors become what the OpenFeature client makes of them.
 */
public final class Oracle {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final FlagdProvider provider;
    private final JsonNode flags;

    private Oracle(String path) throws Exception {
        flags = JSON.readTree(new File(path)).get("flags");
        provider = new FlagdProvider(FlagdOptions.builder()
                .resolverType(Config.Resolver.FILE)
                .offlineFlagSourcePath(path)
                .deadline(60_000)
                .build());
        provider.initialize(new ImmutableContext());
    }

    /** A number is an Integer or a Double: the SDK's Value knows no other. */
    private static Value toValue(JsonNode node) {
        if (node.isBoolean()) {
            return new Value(node.booleanValue());
        }
        if (node.isTextual()) {
            return new Value(node.textValue());
        }
        if (node.isNumber()) {
            return node.isInt() ? new Value(node.intValue()) : new Value(node.doubleValue());
        }
        if (node.isArray()) {
            List<Value> list = new ArrayList<>();
            node.forEach(item -> list.add(toValue(item)));
            return new Value(list);
        }
        return node.isObject() ? new Value(new MutableStructure(toMap(node))) : new Value();
    }

    private static Map<String, Value> toMap(JsonNode object) {
        Map<String, Value> map = new HashMap<>();
        object.fields().forEachRemaining(field -> map.put(field.getKey(), toValue(field.getValue())));
        return map;
    }

    private static EvaluationContext toContext(JsonNode object) {
        Map<String, Value> attributes = toMap(object);
        Value key = attributes.remove("targetingKey");
        return key == null ? new ImmutableContext(attributes) : new ImmutableContext(key.asString(), attributes);
    }

    private static JsonNode toJson(Value value) {
        if (value.isStructure()) {
            var object = JSON.createObjectNode();
            value.asStructure().asMap().forEach((key, inner) -> object.set(key, inner == null ? null : toJson(inner)));
            return object;
        }
        if (value.isList()) {
            ArrayNode list = JSON.createArrayNode();
            value.asList().forEach(inner -> list.add(inner == null ? null : toJson(inner)));
            return list;
        }
        return JSON.valueToTree(value.asObject());
    }

    private ProviderEvaluation<?> evaluate(String key, EvaluationContext context) {
        JsonNode variant = flags.get(key).get("variants").elements().next();
        if (variant.isBoolean()) {
            return provider.getBooleanEvaluation(key, false, context);
        }
        if (variant.isTextual()) {
            return provider.getStringEvaluation(key, "", context);
        }
        if (variant.isNumber()) {
            return provider.getDoubleEvaluation(key, 0.0, context);
        }
        return provider.getObjectEvaluation(key, new Value(), context);
    }

    private ArrayNode decide(String key, EvaluationContext context) {
        ArrayNode answer = JSON.createArrayNode();
        ProviderEvaluation<?> made;
        try {
            made = evaluate(key, context);
        } catch (OpenFeatureError problem) {
            return answer.addNull().addNull().add("ERROR").add(problem.getErrorCode().name());
        } catch (RuntimeException problem) {
            return answer.addNull().addNull().add("ERROR").add("GENERAL");
        }
        if (made.getErrorCode() != null) {
            return answer.addNull().addNull().add("ERROR").add(made.getErrorCode().name());
        }
        Object value = made.getVariant() == null ? null : made.getValue();
        answer.add(value instanceof Value ? toJson((Value) value) : JSON.<JsonNode>valueToTree(value));
        return answer.add(made.getVariant()).add(made.getReason()).addNull();
    }

    public static void main(String[] paths) throws Exception {
        List<Oracle> oracles = new ArrayList<>();
        for (String path : paths) {
            oracles.add(new Oracle(path));
        }
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode request = JSON.readTree(line);
            Oracle oracle = oracles.get(request.get("document").intValue());
            EvaluationContext context = toContext(request.get("context"));
            ArrayNode answers = JSON.createArrayNode();
            request.get("flags").forEach(key -> answers.add(oracle.decide(key.textValue(), context)));
            out.println(JSON.writeValueAsString(answers));
        }
        out.flush();
        System.exit(0); // the providers' threads watch their files for ever
    }
}
