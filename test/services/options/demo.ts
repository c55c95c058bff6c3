/** The options of a small program, for tests of the modules that every program uses. */
import { Duration, Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Kind from "../../../src/services/options/OptionKind.ts"
import { type OptionTable, row } from "../../../src/services/options/OptionTable.ts"

export interface Demo {
  readonly name: string
  readonly maxSize: number
  readonly loud: boolean
  readonly wait: Duration.Duration
  readonly hosts: ReadonlyArray<string>
}

export const table: OptionTable<Demo> = {
  name: row("name", Kind.string, () => "demo", "name to show"),
  maxSize: row("max-size", Kind.int, () => 10, "largest size", { aliases: ["max-length", "limit"] }),
  loud: row("loud", Kind.bool, () => false, "log more"),
  wait: row("wait", Kind.duration, () => Duration.seconds(90), "time to wait"),
  hosts: row("host", Kind.strings, () => [], "host (may be given several times)", { key: "hosts" })
}

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
