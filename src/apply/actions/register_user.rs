//! `register-user`.

use secrecy::ExposeSecret as _;

use crate::apply::{Applied, Halt};
use crate::plan::RegisterUser;
use crate::synapse::{admin_api, identity};

pub(in crate::apply) async fn register_user(
    request: &RegisterUser,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let password = identity::generate_password().map_err(anyhow::Error::from)?;
    admin_api::register_user(
        &request.registration_secret,
        &request.username,
        &password,
        request.admin,
    )
    .await
    .map_err(|error| Halt::Refused(format!("{error:#}")))?;
    applied
        .results
        .insert("register-user".to_owned(), "true".to_owned());
    applied.results.insert(
        "user-password".to_owned(),
        password.expose_secret().to_owned(),
    );
    Ok(())
}
