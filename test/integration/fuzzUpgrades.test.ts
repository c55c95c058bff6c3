/**
 * Faults in every layer of an upgrade: mutated valid streams, random bytes and random cuts, also below TLS, from fixed seeds and
 * bounded in size. The daemon continues in every case, and other clients are not affected.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type * as Net from "node:net"
import { Duplex } from "node:stream"
import * as Tls from "node:tls"
import * as Zlib from "node:zlib"
import { SnappyEncoder } from "../../src/protocol/client/SnappyFraming.ts"
import * as SnappyCodecs from "../../src/services/net/SnappyCodecs.ts"
import * as Certificates from "../services/net/certificates.ts"
import { type Daemon, identified, identify, secured, serve, sized } from "../services/nsqd/session/secureClient.ts"

const rounds = 40

/** Returns numbers from 0 up to, but not including, `below`; equal for equal seeds. */
type Chance = (below: number) => number

const chanceFrom = (seed: number): Chance => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const randomBytes = (chance: Chance, length: number): Buffer => Buffer.from(Array.from({ length }, () => chance(256)))

/** Commands, some of which nsqd refuses. */
const commands = (chance: Chance): Buffer => {
  const parts = Array.from({ length: 1 + chance(12) }, () => {
    const kinds = [
      () => Buffer.concat([Buffer.from("PUB fuzz\n"), sized(randomBytes(chance, 1 + chance(300)))]),
      () => Buffer.concat([Buffer.from("PUB fuzz\n"), sized(Buffer.alloc(1 + chance(100_000), "z"))]),
      () => Buffer.from(`SUB fuzz c${chance(3)}#ephemeral\n`),
      () => Buffer.from(`RDY ${chance(100)}\n`),
      () => Buffer.from("NOP\n"),
      () => identify({ deflate: true, snappy: chance(2) === 0, tls_v1: true }),
      () => randomBytes(chance, chance(50))
    ]
    return (kinds[chance(kinds.length)] ?? kinds[0])?.() ?? Buffer.alloc(0)
  })
  return Buffer.concat(parts)
}

const mutate = (chance: Chance, bytes: Buffer): Buffer => {
  let mutated = Buffer.from(bytes)
  for (let i = chance(4); i > 0 && mutated.length > 0; i--) {
    const at = chance(mutated.length)
    switch (chance(5)) {
      case 0:
        mutated[at] = chance(256)
        break
      case 1:
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + 1 + chance(20))])
        break
      case 2:
        mutated = Buffer.concat([mutated.subarray(0, at), randomBytes(chance, chance(40)), mutated.subarray(at)])
        break
      case 3:
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(chance(mutated.length))])
        break
      default:
        mutated = mutated.subarray(0, at)
    }
  }
  return mutated
}

const cut = (chance: Chance, bytes: Buffer): Array<Buffer> => {
  const pieces: Array<Buffer> = []
  for (let at = 0; at < bytes.length;) {
    const size = 1 + chance(chance(3) === 0 ? 5 : 20_000)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

/** Sends each piece in its own turn of the event loop, then closes; completes when the server has closed too. */
const sendAll = (socket: Net.Socket, pieces: ReadonlyArray<Buffer>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = (): void => resume(Effect.void)
    if (socket.destroyed) return done()
    socket.on("error", () => {}).once("close", done).resume()
    const next = (i: number): void => {
      const piece = pieces[i]
      if (piece === undefined || !socket.writable) return void socket.end()
      socket.write(piece)
      setImmediate(next, i + 1)
    }
    next(0)
  })

/** A client's TLS connection whose bytes are mutated on the network, starting with one of its writes. */
const damagedTls = (socket: Net.Socket, chance: Chance): Tls.TLSSocket => {
  socket.removeAllListeners("data")
  let writes = chance(4)
  const wire = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _, done) => {
      if (socket.writable) socket.write(writes-- > 0 ? chunk : mutate(chance, chunk))
      done()
    },
    final: (done) => {
      socket.end()
      done()
    }
  })
  socket.on("data", (chunk) => wire.push(chunk)).on("end", () => wire.push(null)).on("close", () => wire.destroy())
  const secure = Tls.connect({ socket: wire, rejectUnauthorized: false })
  // Each side may wait for the other: then the client closes before the daemon's timeout.
  return secure.setTimeout(200, () => {
    socket.destroy()
    secure.destroy()
  })
}

const alive = Effect.fnUntraced(function*(daemon: Daemon, label: string) {
  const client = yield* secured(daemon.tcpPort)
  assert.strictEqual(yield* client.text, "OK", label)
  yield* client.raw(Buffer.concat([Buffer.from("PUB alive\n"), sized("x")]))
  assert.strictEqual(yield* client.text, "OK", label)
})

const withDaemon = <A>(use: (daemon: Daemon) => Effect.Effect<A, unknown, never>) =>
  Effect.gen(function*() {
    const daemon = yield* serve((yield* Certificates.files).options)
    // A client that is connected before, during and after the faults.
    const { client } = yield* identified(daemon.tcpPort, { heartbeat_interval: -1 })
    yield* use(daemon)
    yield* client.raw(Buffer.concat([Buffer.from("PUB alive\n"), sized("x")]))
    assert.strictEqual(yield* client.text, "OK")
    yield* Effect.scoped(alive(daemon, "at the end"))
    assert.deepStrictEqual(daemon.log.filter((line) => /defect|uncaught/.test(line)), [])
  })

/** Encodes the input of each upgrade. */
const codings = Effect.map(SnappyCodecs.load, (codec) => ({
  plain: (content: Buffer) => content,
  deflate: (content: Buffer) => Zlib.deflateRawSync(content, { finishFlush: Zlib.constants.Z_SYNC_FLUSH }),
  snappy: (content: Buffer) => new SnappyEncoder(codec).encode(content)
}))

describe("clients that send invalid data", () => {
  for (const tls of [false, true]) {
    for (const how of ["plain", "deflate", "snappy"] as const) {
      it.live(
        `a daemon survives invalid ${how} streams ${tls ? "inside TLS" : "without TLS"}`,
        () =>
          withDaemon((daemon) =>
            Effect.gen(function*() {
              const encode = (yield* codings)[how]
              const features = how === "plain" ? {} : { [how]: true }
              for (let seed = 1; seed <= rounds; seed++) {
                const chance = chanceFrom(seed)
                const bytes = chance(4) === 0 ? randomBytes(chance, 2000) : mutate(chance, encode(commands(chance)))
                const pieces = cut(chance, bytes)
                yield* Effect.scoped(Effect.gen(function*() {
                  const client = tls
                    ? yield* secured(daemon.tcpPort, {}, features)
                    : (yield* identified(daemon.tcpPort, features)).client
                  yield* sendAll(client.socket, pieces)
                  if (seed % 10 === 0) yield* alive(daemon, `seed ${seed}`)
                }))
              }
            })
          ),
        240_000
      )
    }
  }

  it.live("a daemon survives invalid data below TLS", () =>
    withDaemon((daemon) =>
      Effect.gen(function*() {
        for (let seed = 1; seed <= rounds; seed++) {
          const chance = chanceFrom(seed)
          yield* Effect.scoped(Effect.gen(function*() {
            const { client } = yield* identified(daemon.tcpPort, { tls_v1: true, deflate: chance(2) === 0 })
            const secure = damagedTls(client.socket, chance)
            yield* sendAll(secure, cut(chance, commands(chance)))
            if (seed % 10 === 0) yield* alive(daemon, `seed ${seed}`)
          }))
        }
      })
    ), 240_000)

  it.live(
    "a daemon survives clients that close or send garbage instead of a handshake",
    () =>
      withDaemon((daemon) =>
        Effect.gen(function*() {
          for (let seed = 1; seed <= rounds; seed++) {
            const chance = chanceFrom(seed)
            yield* Effect.scoped(Effect.gen(function*() {
              const { client } = yield* identified(daemon.tcpPort, { tls_v1: true, snappy: true })
              const header = Buffer.from([0x16, 3, 1 + chance(3), 0, chance(200)])
              const hello = chance(2) === 0
                ? Buffer.concat([header, randomBytes(chance, chance(200))])
                : commands(chance)
              if (chance(4) === 0) client.socket.resetAndDestroy()
              else yield* sendAll(client.socket, cut(chance, hello))
            }))
          }
        })
      ),
    240_000
  )
})
