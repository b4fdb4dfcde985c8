//! `juju-reboot`: starting the unit's machine anew.

use crate::{Error, HookCommand, Juju};

impl Juju {
    /// Buffers that the machine is rebooted once this hook has succeeded.
    ///
    /// There is no such thing in an action. On Kubernetes Juju takes it and then fails the hook, as there is no machine; the
    /// agent of Juju 4.0 forgets it.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.juju_reboot();
    /// juju.flush()?;
    /// assert_eq!(fake.call_names(), ["juju-reboot"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn juju_reboot(&mut self) {
        self.writes.reboot = true;
    }

    /// Reboots the machine now. Juju kills this process, drops what was flushed, and runs the hook again afterwards.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotInContext`](crate::ErrorKind::NotInContext) in an action.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{ErrorKind, Juju, testing::{FakeJuju, State}};
    /// let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0").with_action())));
    /// assert_eq!(juju.juju_reboot_now().unwrap_err().kind(), ErrorKind::NotInContext);
    /// ```
    pub fn juju_reboot_now(&self) -> Result<(), Error> {
        self.reboot(&["--now"])
    }

    pub(crate) fn write_reboot(&self, reboot: bool) -> Result<(), Error> {
        if reboot {
            return self.reboot(&[]);
        }
        Ok(())
    }

    fn reboot(&self, flags: &[&str]) -> Result<(), Error> {
        let command = HookCommand::new("juju-reboot").args(flags.iter().copied());
        self.run(&command, &|| "reboot the machine".to_owned())
            .map(drop)
    }
}
