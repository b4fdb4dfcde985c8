use crate::fixture::Fixture;
use juju_sim::Deploy;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

const UNITS: u32 = 50;
const LIMIT: Duration = Duration::from_secs(100);

/// A charm that sets itself active, with this endpoint.
fn charm(fixture: &Fixture, name: &str, endpoint: &str) -> PathBuf {
    let folder = fixture.path(name);
    std::fs::create_dir(&folder).unwrap();
    let metadata = format!("name: {name}\nsummary: s\ndescription: d\n{endpoint}\n");
    std::fs::write(folder.join("metadata.yaml"), metadata).unwrap();
    let dispatch = folder.join("dispatch");
    std::fs::write(&dispatch, "#!/bin/sh\nexec status-set active\n").unwrap();
    std::fs::set_permissions(&dispatch, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// How fast is for the benchmarks to say.
#[test]
fn fifty_units_in_one_model_become_active_and_another_application_hears_of_each() {
    let fixture = Fixture::empty();
    let juju = &fixture.juju;
    let web = charm(&fixture, "web", "provides: {site: {interface: http}}");
    let proxy = charm(&fixture, "proxy", "requires: {backend: {interface: http}}");
    juju.deploy(&Deploy {
        units: Some(UNITS),
        ..Deploy::new(web)
    })
    .unwrap();
    juju.deploy(&Deploy::new(proxy)).unwrap();
    juju.integrate("web", "proxy").unwrap();
    let heard = "relation-list -r $(relation-ids backend) | wc -l";
    let status = juju
        .wait_for(LIMIT, |status| {
            let active = status
                .units()
                .filter(|(_, unit)| unit.workload.current == "active");
            active.count() == UNITS as usize + 1
        })
        .unwrap();
    assert_eq!(status.units().filter(|(_, unit)| unit.leader).count(), 2);
    juju.wait_until_idle(LIMIT).unwrap();
    let (_, others, _) = juju.exec("proxy/0", &["bash", "-c", heard]).unwrap();
    assert_eq!(others.trim(), "50");
}
