//! A disk that can be full: a file system in memory with a bound, mounted for the length of a torture. Needs Linux and
//! root; without them there is none.

use crate::Fallible;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How much it holds: many times what a torture writes.
const SIZE: &str = "size=512m";

/// A small disk; unmounted when dropped.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one below a folder; none where that is not allowed.
    pub fn mount(folder: &Path) -> Fallible<Option<Self>> {
        let path = folder.join(format!("disk-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "muong-torture"]).arg(&path);
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !mounted {
            fs::remove_dir(&path)?;
            return Ok(None);
        }
        Ok(Some(Self { path }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills it to the last byte. It has room again when what is answered is dropped.
    pub fn fill(&self) -> Fallible<Filler> {
        let filler = Filler(self.path.join("filler"));
        let mut file = File::create(&filler.0)?;
        let (large, small) = (vec![0_u8; 1 << 20], [0_u8; 512]);
        while file.write_all(&large).is_ok() {}
        while file.write_all(&small).is_ok() {}
        Ok(filler)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still holds a file there does not keep it.
        let unmounted = Command::new("umount").arg("-l").arg(&self.path).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} could not be unmounted", self.path.display());
        }
        let _gone = fs::remove_dir(&self.path);
    }
}

/// What takes all the room.
pub struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            eprintln!("the disk stays full: {error}");
        }
    }
}
