//! What has a name and a configuration, as much of v3 has.

use zarrange_codec::CodecMetadata;

use crate::json::{Json, Members};

/// An object of a name and its configuration.
pub(crate) fn named<const N: usize>(name: &str, configuration: [(&str, Json); N]) -> Json {
    let configuration: Members = configuration.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    let mut members = Members::new();
    members.insert("name".to_owned(), name.into());
    members.insert("configuration".to_owned(), Json::Object(configuration));
    Json::Object(members)
}

/// A codec from its JSON: a name, or an object of a name and a configuration.
///
/// # Errors
/// What would be right.
pub fn codec_metadata(json: &Json) -> Result<CodecMetadata, String> {
    let wrong = || format!("codec {json} is no name, and no object of a name and a configuration");
    let name = json.as_str().or_else(|| json.get("name")?.as_str()).ok_or_else(wrong)?;
    match json.get("configuration") {
        None | Some(Json::Null) => Ok(CodecMetadata::new(name)),
        Some(Json::Object(members)) => {
            let members: serde_json::Map<_, _> =
                members.iter().map(|(key, value)| (key.clone(), value.to_value())).collect();
            Ok(CodecMetadata::new_with_configuration(name, members))
        }
        Some(_) => Err(wrong()),
    }
}
