import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Queue } from "effect"
import * as Net from "node:net"
import * as NetListener from "../../../src/services/net/NetListener.ts"

const makeServer = Effect.acquireRelease(
  Effect.sync(() => Net.createServer((socket) => socket.end("hello"))),
  (server) => Effect.sync(() => void server.close())
)

/** Returns the bytes that a client reads from an address. */
const greeting = (host: string, port: number): Effect.Effect<string, Error> =>
  Effect.callback((resume) => {
    const socket = Net.connect({ host, port })
    socket.setEncoding("utf8")
    socket.on("data", (text: string) => resume(Effect.succeed(text)))
    socket.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => void socket.destroy())
  })

const acceptError = (code: string): Error => Object.assign(new Error(`accept ${code}`), { code })

describe("a listener", () => {
  it.live("a listener without a host accepts IPv4 and, if the machine has it, IPv6", () =>
    Effect.gen(function*() {
      const { address, port } = yield* NetListener.bind(yield* makeServer, ":0")
      assert.strictEqual(yield* greeting("127.0.0.1", port), "hello")
      if (address.startsWith("[")) assert.strictEqual(yield* greeting("::1", port), "hello")
      else assert.strictEqual(address, `0.0.0.0:${port}`)
    }))

  it.live("a listener on a machine without IPv6 accepts IPv4", () =>
    Effect.gen(function*() {
      const server = yield* makeServer
      const { listen } = server
      // Node chooses the address family if the host is omitted; this only checks that it is omitted.
      const asked: Array<Net.ListenOptions> = []
      server.listen = ((options: Net.ListenOptions, done: () => void) => {
        asked.push(options)
        return listen.call(server, { ...options, host: "0.0.0.0" }, done)
      }) as Net.Server["listen"]
      const { address, port } = yield* NetListener.bind(server, ":0")
      assert.deepStrictEqual(asked, [{ port: 0 }])
      assert.strictEqual(address, `0.0.0.0:${port}`)
    }))

  it.live("the error of a listener states its address and the reason", () =>
    Effect.gen(function*() {
      const { address } = yield* NetListener.bind(yield* makeServer, "127.0.0.1:0")
      const error = yield* Effect.flip(NetListener.bind(yield* makeServer, address))
      assert.strictEqual(
        error.message,
        `listen (${address}) failed - listen tcp ${address}: bind: address already in use; ` +
          "end the process that listens there, or choose another address"
      )
      const unknown = Object.assign(new Error("getaddrinfo ENOTFOUND h"), {
        code: "ENOTFOUND",
        errno: -3008,
        syscall: "getaddrinfo"
      })
      const server = yield* makeServer
      server.listen = (() => void server.emit("error", unknown)) as never
      assert.strictEqual(
        (yield* Effect.flip(NetListener.bind(server, "h:1"))).message,
        "listen (h:1) failed - listen tcp: lookup h: no such host; choose an address of this machine, or a name that has one"
      )
    }))

  it.live("a listener logs a failed accept and continues", () =>
    Effect.gen(function*() {
      const lines = yield* Queue.unbounded<string>()
      const logger = Logger.make<unknown, void>(({ message }) => void Queue.offerUnsafe(lines, String(message)))
      const server = yield* makeServer
      const { broken, port } = yield* Effect.provide(
        NetListener.bind(server, "127.0.0.1:0"),
        Logger.layer([logger])
      )
      const watching = yield* Effect.forkChild(broken, { startImmediately: true })
      server.emit("error", acceptError("EMFILE"))
      assert.strictEqual(yield* Queue.take(lines), "temporary Accept() failure - accept EMFILE")
      assert.strictEqual(yield* greeting("127.0.0.1", port), "hello")
      assert.isUndefined(watching.pollUnsafe())
    }))

  it.live("a listener with an invalid descriptor is broken", () =>
    Effect.gen(function*() {
      const server = yield* makeServer
      const { broken } = yield* NetListener.bind(server, "127.0.0.1:0")
      const watching = yield* Effect.forkChild(Effect.flip(broken), { startImmediately: true })
      server.emit("error", acceptError("EBADF"))
      assert.match((yield* Fiber.join(watching)).message, /^listen .* failed - accept EBADF$/)
    }))

  it.live("a listener that is closed from outside is broken", () =>
    Effect.gen(function*() {
      const server = yield* makeServer
      const { broken } = yield* NetListener.bind(server, "127.0.0.1:0")
      server.close()
      assert.match((yield* Effect.flip(broken)).message, /the listener was closed$/)
    }))
})
