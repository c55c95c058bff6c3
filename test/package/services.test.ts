/**
 * The services of the package for Debian under a systemd that is process 1 of its own namespaces, in a copy of this machine that
 * ends with it. It needs root, Debian's systemd and namespaces. Run `npm run build` before.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile, execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { debPackage } from "../../scripts/dist/debPackage.ts"
import { isBuilt } from "./project.ts"

const run = promisify(execFile)

const systemd = "/lib/systemd/systemd"

/** What this machine lacks for the test; `undefined` if nothing is known to be missing. */
const missing = ((): string | undefined => {
  if (process.getuid?.() !== 0) return "only root can start systemd in namespaces"
  if (!Fs.existsSync(systemd)) return "systemd is not installed"
  for (const command of ["dpkg", "unshare", "curl"]) {
    try {
      execFileSync("/bin/sh", ["-c", `command -v ${command}`], { stdio: "ignore" })
    } catch {
      return `${command} is not installed`
    }
  }
  return undefined
})()

/**
 * Starts systemd: the arguments are an empty directory for the copy of the machine, a directory that the copy has as `/mnt`, the
 * executable of Node, and a name for cgroups. A cgroup of its own keeps systemd away from the processes of this machine.
 */
const boot = `for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  if [ -e "$tree/cgroup.procs" ]; then mkdir "$tree/$4"; echo $$ > "$tree/$4/cgroup.procs"; fi
done
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net --propagation private sh -ec "$0" sh "$@"`

const machine = `mount -t tmpfs none "$1"; cd "$1"; mkdir upper work root; root="$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"; mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
if [ -e /sys/fs/cgroup/cgroup.procs ]; then mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"; else
  mount -t tmpfs -o mode=755 none "$root/sys/fs/cgroup"; mkdir "$root/sys/fs/cgroup/systemd"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi
mount -t tmpfs -o mode=755 none "$root/dev"
for device in null zero full random urandom tty; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=755 none "$root/run"
mount -t tmpfs none "$root/tmp"
mount --bind "$2" "$root/mnt"
touch "$root/usr/local/bin/node"; mount --bind "$3" "$root/usr/local/bin/node"
rm -rf "$root/etc/systemd/system"; mkdir "$root/etc/systemd/system"; cp "$2/test.service" "$root/etc/systemd/system"
exec env -i PATH="$PATH" container=test chroot "$root" ${systemd} --unit=test.service`

/** The only unit that systemd starts. The machine ends with it. */
const unit = `[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
StandardOutput=append:/mnt/output
StandardError=append:/mnt/errors
ExecStart=/bin/sh /mnt/commands
`

/** Runs commands as root in a machine that systemd has started; returns their output, `undefined` if systemd does not start. */
const inMachine = async (directory: string, commands: string): Promise<string | undefined> => {
  const [copy, shared] = ["copy", "shared"].map((name) => join(directory, name))
  if (copy === undefined || shared === undefined) return undefined
  Fs.mkdirSync(copy)
  Fs.writeFileSync(join(shared, "test.service"), unit)
  Fs.writeFileSync(join(shared, "commands"), commands)
  const name = `effect-nsq-test-${process.pid}`
  try {
    await run("sh", ["-ec", boot, machine, copy, shared, process.execPath, name], {
      timeout: 100_000,
      killSignal: "SIGKILL"
    })
  } catch {
    // Without the output of the commands, the machine did not start.
  } finally {
    const trees = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"].map((tree) => join(tree, name))
    for (const tree of trees.filter((path) => Fs.existsSync(path))) {
      execFileSync("find", [tree, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], { stdio: "ignore" })
    }
  }
  const output = join(shared, "output")
  return Fs.existsSync(output) ? Fs.readFileSync(output, "utf8") : undefined
}

/** Prints a line with a name and the output of each command. */
const commands =
  `say() { name="$1"; shift; printf '%s: %s\\n' "$name" "$("$@" 2>&1 | tr '\\n' ' ' | sed 's/ $//')" | sed 's/ $//'; }
publish() { curl -sS -m 30 -d "$1" 'http://127.0.0.1:4151/pub?topic=orders'; }
state() { systemctl show "$1" --property="$2" --value; }
dpkg --no-triggers -i --force-depends /mnt/package.deb >&2
mkdir -p /etc/systemd/system/nsqd.service.d
printf '[Service]\\nStandardError=append:/mnt/nsqd.log\\n' > /etc/systemd/system/nsqd.service.d/log.conf
systemctl daemon-reload
systemctl start nsqd.socket
say "before the first connection" systemctl is-active nsqd.socket nsqd.service
say "first publish" publish tea
say "after it" systemctl is-active nsqd.socket nsqd.service
say "user" ps -o user= -p "$(state nsqd MainPID)"
say "type" state nsqd Type
say "reload" sh -c 'systemctl reload nsqd && timeout 30 sh -c "until grep -q \\"SIGHUP received\\" /mnt/nsqd.log; do sleep 0.1; done" && echo done'
say "stop" sh -c 'systemctl stop nsqd.service 2>/dev/null; systemctl is-active nsqd.service'
say "result" systemctl show nsqd --property=Result --property=ExecMainStatus --value
say "publish while it is stopped" publish coffee
say "messages" sh -c 'nsq_tail --nsqd-tcp-address=127.0.0.1:4150 --topic=orders --channel=kitchen -n=2 2>/dev/null | sort'
say "start of the others" sh -c 'systemctl start nsqlookupd nsqadmin && echo done'
say "nsqlookupd" curl -sS -m 30 http://127.0.0.1:4161/ping
say "nsqadmin" curl -sS -m 30 http://127.0.0.1:4171/ping
say "data" stat -c '%U %a' /var/lib/nsqd
dpkg --no-triggers -r effect-nsq >&2
say "after the removal" systemctl is-active nsqd.socket nsqd.service nsqlookupd.service nsqadmin.service
say "failed" systemctl --failed --no-legend
`

describe.skipIf(!isBuilt)("the services of the package for Debian", () => {
  it(
    "systemd starts nsqd with the first connection, reloads and stops it, and connections wait while it is stopped",
    async ({ skip }) => {
      if (missing !== undefined) return skip(missing)
      const directory = Fs.mkdtempSync(join(tmpdir(), "services-"))
      try {
        const shared = join(directory, "shared")
        Fs.mkdirSync(shared)
        Fs.writeFileSync(join(shared, "package.deb"), debPackage(1_700_000_000).data)
        const output = await inMachine(directory, commands)
        if (output === undefined) return skip("systemd cannot be started in namespaces of this machine")
        const errors = Fs.readFileSync(join(shared, "errors"), "utf8")
        assert.deepStrictEqual(output.trim().split("\n"), [
          "before the first connection: active inactive",
          "first publish: OK",
          "after it: active active",
          "user: nsq",
          "type: notify",
          "reload: done",
          "stop: inactive",
          "result: success 0",
          "publish while it is stopped: OK",
          "messages: coffee tea",
          "start of the others: done",
          "nsqlookupd: OK",
          "nsqadmin: OK",
          "data: nsq 750",
          "after the removal: inactive inactive inactive inactive",
          "failed:"
        ], errors)
      } finally {
        Fs.rmSync(directory, { recursive: true, force: true })
      }
    },
    480_000
  )
})
