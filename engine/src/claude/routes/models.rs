//! What an application uses: messages, batches, files, models, skills, user profiles.
//!
//! Source: the resources of the Python SDK 2.12.0; `/api/hello`, `/.well-known/` and `/oauth/`, `/v1/oauth/`: what Claude Code
//! 2.1.330 (`/login`) and the SDKs' workload federation call without credentials. Claude Code's other calls below `/api/` (telemetry,
//! usage, remote settings) are not in the table and so are refused; it works without them.

use super::{Kind, Route};

/// The routes that take a scope.
pub(super) const ROUTES: &[Route] = super::table! { "/v1", "";
    POST   "/messages"                        "messages.create"                     "messages.create"       Messages;
    POST   "/messages/count_tokens"           "messages.count_tokens"               "messages.count_tokens" CountTokens;
    POST   "/files"                           "files.upload"                        "files.create"          Upload;
    GET    "/files"                           "files.list"                          "files.read"            Json;
    GET    "/files/{}"                        "files.retrieve_metadata"             "files.read"            Json;
    DELETE "/files/{}"                        "files.delete"                        "files.delete"          Json;
    GET    "/files/{}/content"                "files.download"                      "files.read"            Download;
    POST   "/messages/batches"                "batches.create"                      "batches.create"        BatchCreate;
    GET    "/messages/batches"                "batches.list"                        "batches.read"          Batch;
    GET    "/messages/batches/{}"             "batches.retrieve"                    "batches.read"          Batch;
    DELETE "/messages/batches/{}"             "batches.delete"                      "batches.delete"        Json;
    POST   "/messages/batches/{}/cancel"      "batches.cancel"                      "batches.cancel"        Batch;
    GET    "/messages/batches/{}/results"     "batches.results"                     "batches.read"          BatchResults;
    GET    "/models"                          "models.list"                         "models.read"           Json;
    GET    "/models/{}"                       "models.retrieve"                     "models.read"           Json;
    POST   "/skills"                          "skills.create"                       "skills.write"          Upload;
    GET    "/skills"                          "skills.list"                         "skills.read"           Json;
    GET    "/skills/{}"                       "skills.retrieve"                     "skills.read"           Json;
    DELETE "/skills/{}"                       "skills.delete"                       "skills.write"          Json;
    POST   "/skills/{}/versions"              "skills.versions.create"              "skills.write"          Upload;
    GET    "/skills/{}/versions"              "skills.versions.list"                "skills.read"           Json;
    GET    "/skills/{}/versions/{}"           "skills.versions.retrieve"            "skills.read"           Json;
    DELETE "/skills/{}/versions/{}"           "skills.versions.delete"              "skills.write"          Json;
    GET    "/skills/{}/versions/{}/content"   "skills.versions.download"            "skills.read"           Download;
    POST   "/user_profiles"                   "user_profiles.create"                "user_profiles.write"   Json;
    GET    "/user_profiles"                   "user_profiles.list"                  "user_profiles.read"    Json;
    POST   "/user_profiles/{}"                "user_profiles.update"                "user_profiles.write"   Json;
    GET    "/user_profiles/{}"                "user_profiles.retrieve"              "user_profiles.read"    Json;
    DELETE "/user_profiles/{}"                "user_profiles.delete"                "user_profiles.write"   Json;
    POST   "/user_profiles/{}/action_urls"    "user_profiles.action_urls.create"    "user_profiles.write"   Json;
    POST   "/user_profiles/{}/enrollment_url" "user_profiles.create_enrollment_url" "user_profiles.write"   Json;
};

/// The routes that take no credentials.
pub(super) const OPEN: &[Route] = &[
    Route::open("HEAD", "/", "hello", Kind::Hello),
    Route::open("HEAD", "/api/hello", "hello", Kind::Hello),
    Route::open("GET", "/api/hello", "hello", Kind::Hello),
    Route::open("POST", "/v1/oauth/token", "oauth.token", Kind::Token),
    Route::open("POST", "/oauth/token", "oauth.token", Kind::Token),
    Route::open("POST", "/v1/oauth/revoke", "oauth.revoke", Kind::Token),
    Route::open("POST", "/v1/oauth/device", "oauth.device", Kind::Token),
    Route::open("POST", "/oauth/device_authorization", "oauth.device", Kind::Token),
    Route::open("GET", "/.well-known/oauth-authorization-server", "oauth.discovery", Kind::Token),
];
