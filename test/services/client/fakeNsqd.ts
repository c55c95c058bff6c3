/** A scripted nsqd for tests: it sends what the test sets, or nothing. */
import { Deferred, Effect } from "effect"
import { encodeFrame, encodeResponse, FrameType } from "../../../src/protocol/client/Frame.ts"
import type { ServerFeatures } from "../../../src/services/client/NsqdConnection.ts"
import { type Connection, Transport } from "../../../src/services/net/Transport.ts"

const magicSize = 4
const withBody = new Set(["IDENTIFY", "AUTH", "PUB", "DPUB", "MPUB"])

export interface FakeNsqd {
  readonly address: string
  /** Received commands: the line, and the body if the command has one. */
  readonly commands: Array<string>
  /** Bodies of `PUB`, in order. */
  readonly published: Array<string>
  /** Sends no replies while true; sends the pending ones when set to false. */
  readonly setSilent: (silent: boolean) => void
  /** Replies to `PUB`, `MPUB`, `DPUB` and `SUB` with this error, or with `OK` again. */
  readonly refuse: (error: string | undefined) => void
  /** Requires authorization from now on, and refuses every secret with this error. */
  readonly refuseSecrets: (error: string) => void
  /** Sends bytes to every client. */
  readonly send: (bytes: Uint8Array) => void
  /** Ends every connection. */
  readonly breakOff: () => void
}

/** The reply of a working nsqd to a command. */
const replyTo = (
  name: string,
  refusal: string | undefined,
  noSecret: string | undefined,
  features: Partial<ServerFeatures>
): Buffer | undefined => {
  switch (name) {
    case "IDENTIFY":
      return encodeResponse(JSON.stringify({
        max_rdy_count: 2500,
        version: "1.3.0",
        msg_timeout: 60_000,
        auth_required: noSecret !== undefined,
        ...features
      }))
    case "AUTH":
      return encodeFrame(FrameType.error, Buffer.from(noSecret ?? ""))
    case "PUB":
    case "MPUB":
    case "DPUB":
    case "SUB":
      return refusal === undefined ? encodeResponse("OK") : encodeFrame(FrameType.error, Buffer.from(refusal))
    case "CLS":
      return encodeResponse("CLOSE_WAIT")
    default:
      return undefined
  }
}

/** Listens at `address` until the Scope closes. */
export const make = Effect.fnUntraced(function*(address: string, initially: {
  readonly silent: boolean
  /** Additional fields of the reply to IDENTIFY. */
  readonly features?: Partial<ServerFeatures>
}) {
  const transport = yield* Transport
  const commands: Array<string> = []
  const published: Array<string> = []
  const clients = new Set<Connection>()
  const ends = new Set<() => void>()
  let { silent } = initially
  let refusal: string | undefined
  let noSecret: string | undefined
  let owed: Array<() => void> = []

  const onCommand = (connection: Connection, line: string, body: string | undefined): void => {
    commands.push(body === undefined ? line : `${line} ${body}`)
    const name = line.split(" ")[0] ?? ""
    if (name === "PUB") published.push(body ?? "")
    const reply = replyTo(name, refusal, noSecret, initially.features ?? {})
    if (reply === undefined) return
    if (silent) owed.push(() => void connection.write(reply))
    else connection.write(reply)
  }

  /** Removes whole commands from the front of the received bytes. */
  const parse = (connection: Connection, received: Buffer): Buffer => {
    let rest = received
    while (true) {
      const end = rest.indexOf(10)
      if (end < 0) return rest
      const line = rest.subarray(0, end).toString()
      if (!withBody.has(line.split(" ")[0] ?? "")) {
        onCommand(connection, line, undefined)
        rest = rest.subarray(end + 1)
        continue
      }
      if (rest.length < end + 5) return rest
      const bodyEnd = end + 5 + rest.readInt32BE(end + 1)
      if (rest.length < bodyEnd) return rest
      onCommand(connection, line, rest.subarray(end + 5, bodyEnd).toString("latin1"))
      rest = rest.subarray(bodyEnd)
    }
  }

  const receive = Effect.fnUntraced(function*(connection: Connection) {
    let received: Buffer = Buffer.alloc(0)
    let greeted = false
    while (true) {
      const chunk = yield* connection.read
      if (chunk === undefined) return
      received = Buffer.concat([received, chunk])
      if (!greeted && received.length >= magicSize) {
        greeted = true
        received = received.subarray(magicSize)
      }
      if (greeted) received = parse(connection, received)
    }
  })

  const handle = Effect.fnUntraced(function*(connection: Connection) {
    const broken = yield* Deferred.make<void>()
    const end = () => void Deferred.doneUnsafe(broken, Effect.void)
    clients.add(connection)
    ends.add(end)
    yield* Effect.addFinalizer(() => Effect.sync(() => (clients.delete(connection), ends.delete(end))))
    yield* Effect.ignore(Effect.raceFirst(receive(connection), Deferred.await(broken)))
  })

  const listener = yield* transport.listen(address, handle)
  const fake: FakeNsqd = {
    address: listener.address,
    commands,
    published,
    setSilent: (next) => {
      silent = next
      if (silent) return
      for (const reply of owed.splice(0)) reply()
    },
    refuse: (error) => void (refusal = error),
    refuseSecrets: (error) => void (noSecret = error),
    send: (bytes) => {
      for (const client of clients) client.write(bytes)
    },
    breakOff: () => {
      for (const end of ends) end()
    }
  }
  return fake
})
