/**
 * The order of the rooms. A room is a folder of `src`; ARCHITECTURE.md describes each.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"

const source = Path.resolve(import.meta.dirname, "../src")

/** A room may import rooms of earlier layers only. */
const layers: ReadonlyArray<ReadonlyArray<string>> = [
  ["protocol/text"],
  ["protocol/client"],
  ["protocol/lookup", "protocol/storage", "protocol/http"],
  ["protocol/http/admin"],
  ["protocol"],
  ["services/core"],
  ["services/options"],
  ["services/logging"],
  ["services/net"],
  ["services/http"],
  ["services/admin", "services/client", "services/cluster"],
  ["services/promise"],
  ["services/nsqd/options", "services/nsqlookupd", "services/nsqadmin", "services/tools"],
  ["services/nsqd/auth", "services/nsqd/disk"],
  ["services/nsqd/log"],
  ["services/nsqd/storage"],
  ["services/nsqd/policies"],
  ["services/nsqd/broker"],
  ["services/nsqd/data", "services/persistence"],
  ["services/nsqd/lookup", "services/nsqd/session/connection", "services/nsqd/stats"],
  ["services/nsqd/session/commands"],
  ["services/nsqd/session"],
  ["services/nsqd/metrics"],
  ["services/nsqd/http"],
  ["services/nsqd"],
  ["services/cli/doctor"],
  ["services/cli", "services/standalone"],
  ["testing/disk"],
  ["programs", "testing", ""]
]

/** The pages run in a browser; from other rooms they may import schemas only. */
const webLayers: ReadonlyArray<ReadonlyArray<string>> = [
  ["protocol/client", "protocol/http", "protocol/http/admin"],
  ["web/core"],
  ["web/live", "web/graphite"],
  ["web/charts"],
  ["web/components"],
  ["web/messages", "web/warnings"],
  ["web/pages"],
  ["web"]
]

/** Rooms that share lower layers and must not import each other. */
const independent = ["services/nsqd", "services/nsqlookupd", "services/nsqadmin", "services/tools"]

interface Import {
  readonly file: string
  readonly imported: string
}

const files: ReadonlyArray<string> = Fs.readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.tsx?$/.test(file))

const roomOf = (file: string): string => Path.dirname(file) === "." ? "" : Path.dirname(file)

const importsOf = (file: string): ReadonlyArray<Import> =>
  Array.from(
    Fs.readFileSync(Path.join(source, file), "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g),
    ([, specifier = ""]) => ({
      file,
      imported: Path.relative(source, Path.join(source, Path.dirname(file), specifier))
    })
  )

const imports = files.flatMap(importsOf).filter(({ file, imported }) => roomOf(file) !== roomOf(imported))

const isWeb = (room: string): boolean => room === "web" || room.startsWith("web/")

const layerOf = (layered: ReadonlyArray<ReadonlyArray<string>>, room: string): number =>
  layered.findIndex((rooms) => rooms.includes(room))

const text = ({ file, imported }: Import): string => `${file} imports ${imported}`

const wrong = (layered: ReadonlyArray<ReadonlyArray<string>>, among: ReadonlyArray<Import>): ReadonlyArray<string> =>
  among
    .filter(({ file, imported }) => {
      const [from, to] = [layerOf(layered, roomOf(file)), layerOf(layered, roomOf(imported))]
      return to < 0 || to >= from
    })
    .map(text)

describe("the rooms of the sources", () => {
  it("every folder of the sources is a known room", () => {
    const known = new Set([...layers.flat(), ...webLayers.flat()])
    assert.deepStrictEqual(files.filter((file) => !known.has(roomOf(file))), [])
  })

  it("a room imports only rooms of lower layers", () => {
    assert.deepStrictEqual(wrong(layers, imports.filter(({ file }) => !isWeb(roomOf(file)))), [])
  })

  it("the web pages import only each other and schemas", () => {
    assert.deepStrictEqual(wrong(webLayers, imports.filter(({ file }) => isWeb(roomOf(file)))), [])
  })

  it("daemons and tools do not import each other", () => {
    const daemonOf = (file: string) => independent.find((room) => file.startsWith(`${room}/`))
    const between = imports.filter(({ file, imported }) => {
      const [from, to] = [daemonOf(file), daemonOf(imported)]
      return from !== undefined && to !== undefined && from !== to
    })
    assert.deepStrictEqual(between.map(text), [])
  })

  it("every file of the services lies in a room", () => {
    assert.deepStrictEqual(files.filter((file) => roomOf(file) === "services"), [])
  })
})
