/** The package for Debian and Ubuntu: programs, services, config files, man pages and completions. */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { application, field, names, oldestNode, root, version } from "./application.ts"
import { configFile } from "./configFiles.ts"
import { deb } from "./deb.ts"
import { pageOf, pageOfHelp } from "./manPages.ts"
import { programs } from "./programs.ts"
import { gzip } from "./tar.ts"
import { copy, type Entry, text } from "./tree.ts"

const packaging = Path.join(root, "packaging")

/** Where each shell looks for completions of `nsq`. */
const completions = {
  bash: "usr/share/bash-completion/completions/nsq",
  zsh: "usr/share/zsh/vendor-completions/_nsq",
  fish: "usr/share/fish/vendor_completions.d/nsq.fish"
}

/** Runs the built `nsq` and returns its output. It prints help on standard error when that is not a terminal. */
const nsq = (args: string): string => {
  const program = Path.join(root, "dist/bin/nsq")
  return execFileSync("/bin/sh", ["-c", `"$1" "$2" ${args} 2>&1`, "sh", process.execPath, program], {
    encoding: "utf8",
    env: { NO_COLOR: "1" }
  })
}

const completionFiles = (): ReadonlyArray<Entry> => {
  // Only a command line of Effect has this flag.
  if (!nsq("--help").includes("--completions")) return []
  return Object.entries(completions).map(([shell, path]) => text(path, nsq(`--completions ${shell}`)))
}

const zipped = (path: string, content: string | Uint8Array): Entry => ({
  path: `${path}.gz`,
  type: "file",
  data: gzip(Buffer.from(content))
})

const manPages = (time: number): ReadonlyArray<Entry> => [
  ...programs.map((program) => zipped(`usr/share/man/man1/${program.name}.1`, pageOf(program, names, version, time))),
  zipped(
    "usr/share/man/man1/nsq.1",
    pageOfHelp(
      "nsq",
      "works on nsqds and their clusters",
      nsq("--help"),
      names.filter((name) => name !== "nsq"),
      version,
      time
    )
  )
]

const services = ["nsqd", "nsqlookupd", "nsqadmin"]

const scripts = ["postinst", "prerm", "postrm"]

/** Returns the name and the bytes of the package. `time` is in seconds. */
export const debPackage = (time: number): { readonly name: string; readonly data: Buffer } => ({
  name: `effect-nsq_${version}_all.deb`,
  data: deb({
    fields: {
      Package: "effect-nsq",
      Version: version,
      Architecture: "all",
      Maintainer: "the effect-nsq authors",
      Depends: `nodejs (>= ${oldestNode}), passwd`,
      Section: "net",
      Priority: "optional",
      Description: field("description")
    },
    scripts: Object.fromEntries(
      scripts.map((name) => [name, Fs.readFileSync(Path.join(packaging, "deb", name), "utf8")])
    ),
    files: [
      ...application(),
      ...services.flatMap((name) => [`${name}.service`, `${name}.socket`]).map((unit) =>
        copy(`usr/lib/systemd/system/${unit}`, Path.join(packaging, "systemd", unit))
      ),
      ...programs
        .filter(({ isDaemon }) => isDaemon)
        .map((program) => text(`etc/nsq/${program.name}.toml`, configFile(program))),
      ...manPages(time),
      ...completionFiles(),
      zipped("usr/share/doc/effect-nsq/changelog", Fs.readFileSync(Path.join(root, "CHANGELOG.md")))
    ],
    time
  })
})
