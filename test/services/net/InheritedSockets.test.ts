import { assert, describe, it } from "@effect/vitest"
import { fromEnvironment, type ListenerName } from "../../../src/services/net/InheritedSockets.ts"

const all: ReadonlyArray<ListenerName> = ["tcp", "http", "https"]

const found = (environment: Readonly<Record<string, string>>, listeners = all) =>
  Object.fromEntries(fromEnvironment({ LISTEN_PID: "7", ...environment }, 7, listeners))

describe("InheritedSockets", () => {
  it("sockets without a name of a listener belong to the listeners in their order", () => {
    assert.deepStrictEqual(found({ LISTEN_FDS: "2" }), { tcp: 3, http: 4 })
    assert.deepStrictEqual(found({ LISTEN_FDS: "2", LISTEN_FDNAMES: "nsqd.socket:nsqd.socket" }), { tcp: 3, http: 4 })
    assert.deepStrictEqual(found({ LISTEN_FDS: "1" }, ["http"]), { http: 3 })
  })

  it("a socket with the name of a listener belongs to it, wherever it is", () => {
    assert.deepStrictEqual(found({ LISTEN_FDS: "2", LISTEN_FDNAMES: "http:tcp" }), { http: 3, tcp: 4 })
    assert.deepStrictEqual(found({ LISTEN_FDS: "2", LISTEN_FDNAMES: "unknown:tcp" }), { tcp: 4, http: 3 })
    assert.deepStrictEqual(found({ LISTEN_FDS: "2", LISTEN_FDNAMES: "tcp:tcp" }), { tcp: 3, http: 4 })
  })

  it("sockets for another process, none, and more than there are listeners are left alone", () => {
    assert.deepStrictEqual(found({ LISTEN_PID: "8", LISTEN_FDS: "2" }), {})
    assert.deepStrictEqual(found({}), {})
    assert.deepStrictEqual(found({ LISTEN_FDS: "many" }), {})
    assert.deepStrictEqual(found({ LISTEN_FDS: "2" }, ["http"]), { http: 3 })
  })
})
