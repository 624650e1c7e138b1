//! Options of packets that sockets of several kinds have.

/// For a type whose `$this` is a socket to `socket2` as `$socket`.
macro_rules! packet_options {
    ($this:ident => $socket:expr) => {
        /// Marks its IPv4 packets with this type of service.
        ///
        /// # Errors
        /// The system's.
        pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
            let $this = self;
            $socket.set_tos_v4(tos)
        }

        /// What [`set_tos_v4`](Self::set_tos_v4) sets.
        ///
        /// # Errors
        /// The system's.
        pub fn tos_v4(&self) -> io::Result<u32> {
            let $this = self;
            $socket.tos_v4()
        }

        /// Marks its IPv6 packets with this traffic class.
        ///
        /// # Errors
        /// The system's.
        #[cfg(target_os = "linux")]
        pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
            let $this = self;
            $socket.set_tclass_v6(class)
        }

        /// What [`set_tclass_v6`](Self::set_tclass_v6) sets.
        ///
        /// # Errors
        /// The system's.
        #[cfg(target_os = "linux")]
        pub fn tclass_v6(&self) -> io::Result<u32> {
            let $this = self;
            $socket.tclass_v6()
        }

        /// Uses the interface of this name alone; any of them, with none.
        ///
        /// # Errors
        /// The system's: `PermissionDenied`, an unknown interface.
        #[cfg(target_os = "linux")]
        pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
            let $this = self;
            $socket.bind_device(interface)
        }

        /// What [`bind_device`](Self::bind_device) sets.
        ///
        /// # Errors
        /// The system's.
        #[cfg(target_os = "linux")]
        pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
            let $this = self;
            $socket.device()
        }
    };
}
pub(super) use packet_options;
