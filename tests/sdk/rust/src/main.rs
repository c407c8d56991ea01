//! The SDK of Rust: `weir-sdk-client BASE_URL`. A JSON line {"flag","type","default","context"}
//! in, a JSON line of details out.
use std::io::{BufRead, Write};

use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationDetails, EvaluationError,
    EvaluationErrorCode, FlagMetadataValue, OpenFeature, StructValue, Value,
};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use serde_json::{Value as Json, json};

type Failure = Box<dyn std::error::Error>;

/// The SDK's context has neither lists nor maps, only a struct of any type: that is what they are given as.
fn attribute(value: &Json) -> Option<EvaluationContextFieldValue> {
    match value {
        Json::Null => None,
        Json::Bool(flag) => Some((*flag).into()),
        Json::String(text) => Some(text.as_str().into()),
        Json::Number(number) => number
            .as_i64()
            .map(EvaluationContextFieldValue::Int)
            .or_else(|| number.as_f64().map(EvaluationContextFieldValue::Float)),
        Json::Array(_) | Json::Object(_) => {
            Some(EvaluationContextFieldValue::new_struct(value.clone()))
        }
    }
}

fn context_of(request: &Json) -> Option<EvaluationContext> {
    let fields = request["context"].as_object()?;
    let mut context = EvaluationContext::default();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("targetingKey", Json::String(key)) => context = context.with_targeting_key(key),
            _ => {
                if let Some(value) = attribute(value) {
                    context.add_custom_field(name, value);
                }
            }
        }
    }
    Some(context)
}

fn json_of(value: Value) -> Json {
    match value {
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::String(text) => json!(text),
        Value::Array(values) => values.into_iter().map(json_of).collect(),
        Value::Struct(structure) => json_of_struct(structure),
    }
}

fn json_of_struct(structure: StructValue) -> Json {
    Json::Object(
        structure
            .fields
            .into_iter()
            .map(|(name, value)| (name, json_of(value)))
            .collect(),
    )
}

/// An SDK of Rust answers an error, not the default: that is what its caller then takes.
fn details<T>(
    outcome: Result<EvaluationDetails<T>, EvaluationError>,
    default: &Json,
    json_of_value: fn(T) -> Json,
) -> Json {
    match outcome {
        Ok(found) => {
            let metadata = found.flag_metadata.values.into_iter().map(|(name, value)| {
                let value = match value {
                    FlagMetadataValue::Bool(flag) => json!(flag),
                    FlagMetadataValue::Int(number) => json!(number),
                    FlagMetadataValue::Float(number) => json!(number),
                    FlagMetadataValue::String(text) => json!(text),
                };
                (name, value)
            });
            json!({
                "value": json_of_value(found.value),
                "variant": found.variant,
                "reason": found.reason.map(|reason| reason.to_string()),
                "errorCode": null,
                "flagMetadata": metadata.collect::<serde_json::Map<_, _>>(),
            })
        }
        Err(failure) => {
            let code = match failure.code {
                EvaluationErrorCode::General(_) => "GENERAL".to_string(), // it prints the message in the code's place
                code => code.to_string(),
            };
            json!({"value": default, "variant": null, "reason": "ERROR", "errorCode": code, "flagMetadata": {}})
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let base_url = std::env::args()
        .nth(1)
        .ok_or("usage: weir-sdk-client BASE_URL")?;
    let provider = OfrepProvider::new(OfrepOptions {
        base_url,
        ..Default::default()
    })
    .await?;
    let client = {
        let mut api = OpenFeature::singleton_mut().await;
        api.set_provider(provider).await;
        api.create_client()
    };
    let mut out = std::io::stdout();
    writeln!(out, "{}", json!({"ready": true}))?;
    for line in std::io::stdin().lock().lines() {
        let request: Json = serde_json::from_str(&line?)?;
        let context = context_of(&request);
        let (context, default) = (context.as_ref(), &request["default"]);
        let flag = request["flag"].as_str().ok_or("\"flag\" is not a string")?;
        let answer = match request["type"].as_str() {
            Some("boolean") => details(
                client.get_bool_details(flag, context, None).await,
                default,
                Json::from,
            ),
            Some("string") => details(
                client.get_string_details(flag, context, None).await,
                default,
                Json::from,
            ),
            Some("integer") => details(
                client.get_int_details(flag, context, None).await,
                default,
                Json::from,
            ),
            Some("float") => details(
                client.get_float_details(flag, context, None).await,
                default,
                Json::from,
            ),
            Some("object") => {
                let found = client
                    .get_struct_details::<StructValue>(flag, context, None)
                    .await;
                details(found, default, json_of_struct)
            }
            other => return Err(format!("unknown type {other:?}").into()),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
