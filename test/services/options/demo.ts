/** The options of a small program, for tests of the modules that every program uses. */
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as LogOptions from "../../../src/services/options/LogOptions.ts"
import * as Row from "../../../src/services/options/OptionRow.ts"
import type { OptionsOf } from "../../../src/services/options/OptionTable.ts"

export const table = {
  name: Row.string("name", "demo", "name to show"),
  maxSize: Row.count("max-size", 10, "largest size", { aliases: ["max-length", "limit"] }),
  loud: Row.bool("loud", false, "log more"),
  wait: Row.duration("wait", "90 seconds", "time to wait"),
  hosts: Row.strings("host", "host", { key: "hosts" })
}

export type Demo = OptionsOf<typeof table>

/** The options of a small daemon. */
export const daemonTable = { ...LogOptions.rows("demo"), ...table }

/** Writes a config file that is deleted when the Scope closes, and returns its path. */
export const configFile = (text: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "config-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    ),
    (directory) => {
      const path = join(directory, "demo.cfg")
      writeFileSync(path, text)
      return path
    }
  )
