/** A connection that records what is sent, for the client's state without fibers. */
import { Effect } from "effect"
import type { NsqdConnection, ServerFeatures } from "../../../src/services/client/NsqdConnection.ts"

/** Returns the connection and the texts that were sent over it, in order. */
export const fakeConnection = (address: string, features: Partial<ServerFeatures> = {}) => {
  const sent: Array<string> = []
  const connection: NsqdConnection = {
    address,
    features: {
      max_rdy_count: 2500,
      version: "",
      msg_timeout: 60_000,
      max_msg_timeout: 900_000,
      tls_v1: false,
      deflate: false,
      deflate_level: 6,
      snappy: false,
      auth_required: false,
      headers: false,
      reject: false,
      ...features
    },
    send: (bytes) => void sent.push(Buffer.from(bytes).toString()),
    encode: (command) => {
      const bytes = Buffer.alloc(command.size)
      command.encodeTo(bytes, 0)
      sent.push(bytes.toString())
    },
    drained: Effect.void,
    run: () => Effect.never
  }
  return { sent, connection }
}
