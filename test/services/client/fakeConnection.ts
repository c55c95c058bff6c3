/** A connection that records what is sent, for the client's state without fibers. */
import { Effect } from "effect"
import type { NsqdConnection } from "../../../src/services/client/NsqdConnection.ts"
import { type ServerFeatures, withoutNegotiation } from "../../../src/services/client/ServerFeatures.ts"

/** Returns the connection and the texts that were sent over it, in order. */
export const fakeConnection = (address: string, features: Partial<ServerFeatures> = {}) => {
  const sent: Array<string> = []
  const connection: NsqdConnection = {
    address,
    features: { ...withoutNegotiation, ...features },
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
