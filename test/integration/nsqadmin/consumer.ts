/** Consumers of a test that hold, finish or requeue what they receive, over plain sockets. */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"

export interface ConsumerOptions {
  readonly topic: string
  readonly channel: string
  /** The RDY count. */
  readonly ready: number
  /** What it does with each message. `hold` lets it time out. */
  readonly does: "finish" | "requeue" | "hold"
  /** The body of IDENTIFY, such as `client_id`. */
  readonly identity?: object
}

const heartbeat = "_heartbeat_"
const message = 2

/** Connects a consumer to the nsqd with this TCP address, until the Scope closes. Completes when the subscription is accepted. */
export const consume = (
  address: string,
  { channel, does, identity = {}, ready, topic }: ConsumerOptions
): Effect.Effect<Net.Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const [host = "", port = ""] = address.split(":")
      const body = Buffer.from(JSON.stringify(identity))
      const size = Buffer.alloc(4)
      size.writeUInt32BE(body.length)
      const socket = Net.connect(Number(port), host)
      socket.on("error", () => {})
      socket.write(
        Buffer.concat([
          Buffer.from("  V2IDENTIFY\n"),
          size,
          body,
          Buffer.from(`SUB ${topic} ${channel}\nRDY ${ready}\n`)
        ])
      )
      let rest = Buffer.alloc(0)
      let responses = 0
      const onFrame = (type: number, data: Buffer): void => {
        if (type === message) {
          const id = data.subarray(10, 26).toString()
          if (does === "finish") socket.write(`FIN ${id}\n`)
          if (does === "requeue") socket.write(`REQ ${id} 0\n`)
        } else if (data.toString() === heartbeat) {
          socket.write("NOP\n")
        } else if (++responses === 2) {
          resume(Effect.succeed(socket))
        }
      }
      socket.on("data", (chunk) => {
        rest = Buffer.concat([rest, chunk])
        while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
          const end = 4 + rest.readUInt32BE()
          onFrame(rest.readUInt32BE(4), rest.subarray(8, end))
          rest = rest.subarray(end)
        }
      })
    }),
    (socket) => Effect.sync(() => void socket.destroy())
  )
