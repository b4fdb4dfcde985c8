//! A provider and a requirer, related to each other.

#[path = "support/charms.rs"]
mod charms;

use charms::Model;

#[test]
fn visitor_is_greeted_as_long_as_it_is_related() {
    let model = Model::new();
    model.deploy("greeter", env!("CARGO_BIN_EXE_greeter"), |deploy| deploy);
    model.deploy("visitor", env!("CARGO_BIN_EXE_visitor"), |mut deploy| {
        deploy.units = Some(2);
        deploy
    });
    model.wait("greeter/0", "active", "greeting 0");
    model.wait("visitor/1", "blocked", "relate it to a greeter");

    model.juju.integrate("greeter", "visitor").unwrap();
    let greeted = "Welcome: 2 known, a word of 8 letters";
    model.wait("visitor/0", "active", greeted);
    model.wait("visitor/1", "active", greeted);
    model.wait("greeter/0", "active", "greeting 1");

    model.juju.config("greeter", [("phrase", "Moin")]).unwrap();
    model.wait("visitor/0", "active", "Moin: 2 known, a word of 8 letters");

    model.juju.remove_relation("greeter", "visitor").unwrap();
    model.wait("visitor/0", "blocked", "relate it to a greeter");
    model.wait("greeter/0", "active", "greeting 0");
}
