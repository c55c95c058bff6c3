import { assert, describe, it } from "@effect/vitest"
import { hostname } from "node:os"
import * as FileNames from "../../../src/services/tools/FileNames.ts"

const settings: FileNames.NameSettings = {
  filenameFormat: "<TOPIC>.<HOST><REV>.<DATETIME>.log",
  datetimeFormat: "%Y-%m-%d_%H",
  hostIdentifier: "web",
  gzip: false,
  hasRevisions: false
}
const date = new Date(2026, 0, 5, 15, 4, 9)
const name = (changed: Partial<FileNames.NameSettings>, revision = 0) => {
  const changedSettings = { ...settings, ...changed }
  return FileNames.fileName(changedSettings, FileNames.baseName(changedSettings, "t", date), revision)
}

describe("names of files", () => {
  it("file names have topic, host and time, and a revision if files are numbered", () => {
    assert.strictEqual(name({}), "t.web.2026-01-05_15.log")
    assert.strictEqual(name({ hasRevisions: true }), "t.web-000000.2026-01-05_15.log")
    assert.strictEqual(name({ hasRevisions: true, gzip: true }, 12), "t.web-000012.2026-01-05_15.log.gz")
    assert.strictEqual(name({ filenameFormat: "<TOPIC>.gz", gzip: true }), "t.gz")
  })

  it("file names contain the name of this host", () => {
    const short = hostname().split(".")[0]
    assert.strictEqual(name({ filenameFormat: "<HOST>", hostIdentifier: "" }), short)
    assert.strictEqual(
      name({ filenameFormat: "<HOST>", hostIdentifier: "x.<SHORT_HOST>.<HOSTNAME>" }),
      `x.${short}.${hostname()}`
    )
  })

  it("times are formatted as strftime does", () => {
    assert.strictEqual(
      FileNames.formatTime("%B %b %A %a %d %I %M %S %y %p %% %q", date),
      "January Jan Monday Mon 05 03 04 09 26 PM % %q"
    )
    assert.match(FileNames.formatTime("%z", date), /^[+-]\d{4}$/)
  })

  it("the format needs <REV> if files are numbered", () => {
    assert.isUndefined(FileNames.problem({ ...settings, hasRevisions: true }))
    assert.match(FileNames.problem({ ...settings, filenameFormat: "x", hasRevisions: true }) ?? "", /^missing <REV>/)
  })
})
