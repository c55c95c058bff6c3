/**
 * nsqd's end of a connection to an nsqlookupd: requests and responses in order. A peer that does not respond, sends
 * too much or sends an invalid response loses the connection within a bounded time; there is no other effect.
 */
import { Effect, Queue, type Scope } from "effect"
import { encodeLookupCommand, type LookupCommand, magicV1 } from "../../../protocol/lookup/LookupCommand.ts"
import { ReplyDecoder, ReplyError } from "../../../protocol/lookup/LookupReply.ts"
import type { NetError } from "../../net/NetError.ts"
import { Transport } from "../../net/Transport.ts"
import { LookupError, lookupError, LookupErrorReason } from "./LookupError.ts"

/** NSQ's timeout for connecting and for each response. */
const responseTimeout = "1 second"

/** Commands sent before their responses are read. */
const window = 256

/** An open connection to an nsqlookupd. */
export interface LookupConnection {
  /**
   * Sends commands and returns their responses in the same order. `onResponse` is called for each response as it
   * arrives, so responses before a lost connection are not lost. For one fiber at a time.
   */
  readonly request: (
    commands: ReadonlyArray<LookupCommand>,
    onResponse?: (command: LookupCommand, response: string) => void
  ) => Effect.Effect<ReadonlyArray<string>, LookupError>
  /** Fails when the connection fails. Wait for it only while no command is outstanding. */
  readonly ended: Effect.Effect<never, LookupError>
}

const lost = ({ message }: NetError): LookupError => lookupError("ConnectionLoss", message)
const timeout = Effect.suspend(() => Effect.fail(new LookupError({ reason: LookupErrorReason.Timeout() })))

/** Connects and sends the magic. The connection is closed with the Scope. Fails after 1 second. */
export const open = Effect.fnUntraced(function*(
  address: string,
  maxResponseBytes: number
): Effect.fn.Return<LookupConnection, LookupError, Transport | Scope.Scope> {
  const transport = yield* Transport
  const connection = yield* transport.connect(address).pipe(
    Effect.mapError(({ message }) => lookupError("ConnectFailure", message)),
    Effect.timeoutOrElse({ duration: responseTimeout, orElse: () => timeout })
  )
  connection.write(Buffer.from(magicV1))
  const responses = yield* Queue.bounded<string, LookupError>(window)

  const receive = Effect.gen(function*() {
    const decoder = new ReplyDecoder(maxResponseBytes)
    while (true) {
      const response = decoder.next()
      if (response instanceof ReplyError) return yield* lookupError("InvalidResponse", response.message)
      if (response !== undefined) {
        yield* Queue.offer(responses, response.toString())
        continue
      }
      const chunk: Buffer | undefined = yield* Effect.mapError(connection.read, lost)
      if (chunk === undefined) return yield* lookupError("ConnectionLoss", "EOF")
      decoder.feed(chunk)
    }
  })
  yield* receive.pipe(
    Effect.catchCause((cause) => Queue.failCause(responses, cause)),
    Effect.forkScoped
  )

  const response = Effect.timeoutOrElse(Queue.take(responses), { duration: responseTimeout, orElse: () => timeout })

  return {
    request: Effect.fnUntraced(function*(
      commands: ReadonlyArray<LookupCommand>,
      onResponse?: (command: LookupCommand, response: string) => void
    ) {
      const received: Array<string> = []
      for (let at = 0; at < commands.length; at += window) {
        const some = commands.slice(at, at + window)
        connection.write(Buffer.concat(some.map(encodeLookupCommand)))
        for (const command of some) {
          const text = yield* response
          onResponse?.(command, text)
          received.push(text)
        }
      }
      return received
    }),
    ended: Effect.flatMap(
      Queue.take(responses),
      () => Effect.fail(lookupError("InvalidResponse", "unexpected response"))
    )
  }
})
