/** The package for Debian, unpacked into an empty directory. Run `npm run build` before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile, execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"
import { oldestNode } from "../../scripts/dist/application.ts"
import { configFile } from "../../scripts/dist/configFiles.ts"
import { debPackage } from "../../scripts/dist/debPackage.ts"
import { programs } from "../../scripts/dist/programs.ts"
import * as NsqadminOptions from "../../src/services/nsqadmin/NsqadminOptions.ts"
import * as NsqdOptions from "../../src/services/nsqd/options/NsqdOptions.ts"
import * as NsqlookupdOptions from "../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import type { DaemonOptions } from "../../src/services/options/DaemonOptions.ts"
import type { LogOptions } from "../../src/services/options/LogOptions.ts"
import * as Daemon from "../integration/daemon.ts"
import { root } from "./entryPoints.ts"
import { isBuilt } from "./project.ts"

const run = promisify(execFile)

const isInstalled = (command: string): boolean => {
  try {
    return execFileSync("/bin/sh", ["-c", `command -v ${command}`]).length > 0
  } catch {
    return false
  }
}

/**
 * A script that runs commands in a copy of this machine that ends with them: its arguments are an empty directory, a package, and the
 * commands, for which the package is `/package.deb`.
 */
const asCopy = `mount -t tmpfs none "$1"; cd "$1"; mkdir upper work root
  mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
  mount --rbind /proc "$1/root/proc"; mount --rbind /dev "$1/root/dev"
  cp "$2" "$1/root/package.deb"
  exec chroot "$1/root" sh -ec "$3"`

/** Runs commands as root in a copy of this machine, and returns their output. */
const inCopy = async (directory: string, archive: string, commands: string): Promise<string> => {
  const copy = Fs.mkdtempSync(join(directory, "copy-"))
  const { stdout } = await run("unshare", ["--mount", "sh", "-ec", asCopy, "sh", copy, archive, commands])
  return stdout
}

const canCopy = ((): boolean => {
  const directory = Fs.mkdtempSync(join(tmpdir(), "overlay-"))
  try {
    const args = ["--mount", "sh", "-ec", asCopy, "sh", directory, "/dev/null", "true"]
    execFileSync("unshare", args, { stdio: "ignore" })
    return isInstalled("dpkg")
  } catch {
    return false
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
})()

/** Any commit's. */
const time = 1_700_000_000

describe.skipIf(!isBuilt || !isInstalled("dpkg-deb"))("the package for Debian", () => {
  let directory = ""
  let archive = ""
  const installed = (path: string): string => join(directory, "root", path)
  beforeAll(async () => {
    directory = Fs.mkdtempSync(join(tmpdir(), "deb-"))
    const { data, name } = debPackage(time)
    archive = join(directory, name)
    Fs.writeFileSync(archive, data)
    await run("dpkg-deb", ["-x", archive, join(directory, "root")])
  })
  afterAll(() => Fs.rmSync(directory, { recursive: true, force: true }))

  it("two builds have the same bytes, with the time of the commit", () => {
    const { data } = debPackage(time)
    assert.isTrue(data.equals(Fs.readFileSync(archive)))
    assert.strictEqual(Fs.statSync(installed("usr/lib/effect-nsq/dist/bin/nsqd")).mtimeMs, time * 1000)
  })

  it("the control file depends on the Node version of package.json, and config files are conffiles", async () => {
    const { stdout: depends } = await run("dpkg-deb", ["-f", archive, "Depends"])
    const { engines }: { engines: { node: string } } = JSON.parse(Fs.readFileSync(join(root, "package.json"), "utf8"))
    assert.strictEqual(engines.node, `>=${oldestNode}`)
    assert.include(depends, `nodejs (>= ${oldestNode})`)
    const { stdout: conffiles } = await run("dpkg-deb", ["-I", archive, "conffiles"])
    assert.deepStrictEqual(conffiles.trim().split("\n").toSorted(), [
      "/etc/nsq/nsqadmin.toml",
      "/etc/nsq/nsqd.toml",
      "/etc/nsq/nsqlookupd.toml"
    ])
  })

  it.skipIf(!canCopy)(
    "dpkg installs it with a user, an upgrade keeps changed config files, a purge removes them",
    async () => {
      // The dependency is not met: the packages of this machine may have an older Node.
      const output = await inCopy(
        directory,
        archive,
        `exec 2>&1
      dpkg --no-triggers -i --force-depends /package.deb
      getent passwd nsq
      echo '# changed' >> /etc/nsq/nsqd.toml
      dpkg --no-triggers -i --force-depends /package.deb
      tail -n 1 /etc/nsq/nsqd.toml
      dpkg --no-triggers -r effect-nsq
      ls /etc/nsq
      dpkg --no-triggers -P effect-nsq
      test -e /etc/nsq || echo purged`
      )
      const lines = output.split("\n")
      assert.isTrue(lines.some((line) => /^nsq:x:\d+:\d+::\/nonexistent:\/usr\/sbin\/nologin$/.test(line)), output)
      assert.include(lines, "# changed")
      assert.include(lines, "nsqd.toml")
      assert.include(lines, "purged")
    },
    480_000
  )

  it("the scripts of the package are valid shell", async () => {
    for (const name of ["postinst", "prerm", "postrm"]) await run("sh", ["-n", join(root, "packaging/deb", name)])
  })

  it("the installed programs are links that lead to files", () => {
    for (const name of ["nsq", ...programs.map((program) => program.name)]) {
      assert.isTrue(Fs.statSync(installed(`usr/bin/${name}`)).isFile(), name)
    }
  })

  it.skipIf(!isInstalled("man"))("man reads the page of every program without a warning", async () => {
    for (const name of ["nsq", ...programs.map((program) => program.name)]) {
      const page = installed(`usr/share/man/man1/${name}.1.gz`)
      const { stderr, stdout } = await run("man", ["--warnings", "-l", page], {
        env: { ...process.env, MANWIDTH: "80" }
      })
      assert.strictEqual(stderr, "", name)
      assert.include(stdout, name)
      const sections = Array.from(stdout.matchAll(/^\S.*$/gm), ([section]) => section.trim()).slice(1, -1)
      assert.deepStrictEqual(sections, [...new Set(sections)])
      assert.includeMembers(sections, ["NAME", name === "nsq" ? "USAGE" : "SYNOPSIS", "SEE ALSO"])
    }
  })

  it.skipIf(!isInstalled("systemd-analyze"))("systemd accepts the services and their sockets", async () => {
    const units = ["nsqd", "nsqlookupd", "nsqadmin"].flatMap((name) => [`${name}.service`, `${name}.socket`])
    for (const unit of units) {
      // The check wants executables that exist.
      const text = Fs.readFileSync(installed(`usr/lib/systemd/system/${unit}`), "utf8")
      Fs.writeFileSync(join(directory, unit), text.replace("ExecStart=/", `ExecStart=${directory}/root/`))
    }
    const { stderr } = await run("systemd-analyze", [
      "verify",
      "--man=no",
      ...units.map((unit) => join(directory, unit))
    ])
    assert.deepStrictEqual(
      stderr.split("\n").filter((line) => /nsq(?:d|lookupd|admin)\.(?:service|socket)/.test(line)),
      []
    )
  })

  it.live("an installed nsqd starts with its config file, and an installed nsq_tail receives a message", () =>
    Effect.gen(function*() {
      const config = [`--config=${installed("etc/nsq/nsqd.toml")}`]
      const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, config, {
        command: [process.execPath, installed("usr/bin/nsqd")]
      })
      const published = yield* Daemon.http(daemon, "/pub?topic=orders", "tea")
      assert.strictEqual(published.body, "OK")
      const tail = ["--topic=orders", "-n=1", `--nsqd-tcp-address=127.0.0.1:${daemon.tcpPort}`, "--channel=kitchen"]
      const { stdout } = yield* Effect.promise(() => run(process.execPath, [installed("usr/bin/nsq_tail"), ...tail]))
      assert.strictEqual(stdout, "tea\n")
      yield* daemon.signal("SIGTERM")
      assert.strictEqual(yield* daemon.exited, 0)
    }))
})

/** Returns the options that a daemon reads from a config file, and its defaults. */
const load = <Options extends LogOptions>(
  { defaults, fromCommandLine }: DaemonOptions<Options> & { readonly defaults: () => Options }
) =>
(path: string): Effect.Effect<{ readonly options: LogOptions; readonly defaults: LogOptions }> =>
  Effect.map(Effect.orDie(fromCommandLine([`--config=${path}`], {})), ({ options }) => ({
    options,
    defaults: defaults()
  }))

const daemons = { nsqd: load(NsqdOptions), nsqlookupd: load(NsqlookupdOptions), nsqadmin: load(NsqadminOptions) }

describe("the config files of the package for Debian", () => {
  for (const [name, read] of Object.entries(daemons)) {
    it.effect(`each default in the file of ${name} is the default of the option`, () =>
      Effect.gen(function*() {
        const program = programs.find((program) => program.name === name)
        if (program === undefined) return assert.fail(name)
        const path = join(yield* Daemon.temporaryDirectory, "options.toml")
        const lines = configFile(program).split("\n")
          // Not the lines that the package sets, nor examples of options whose default depends on the machine.
          .filter((line) => /^#\w+ = /.test(line) && !/^#(?:id|broadcast_address) = /.test(line))
          .map((line) => line.slice(1))
        Fs.writeFileSync(path, lines.join("\n"))
        assert.isAtLeast(lines.length, program.options.length - 6)
        const { defaults, options } = yield* read(path)
        assert.deepStrictEqual(options, defaults)
      }))
  }
})
