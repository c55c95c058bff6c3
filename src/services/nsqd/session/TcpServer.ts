/**
 * nsqd's TCP listener: every connection becomes a client of the broker, up to `--max-connections`.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { encodeFrame, FrameType } from "../../../protocol/client/Frame.ts"
import { protocolError } from "../../../protocol/client/ProtocolError.ts"
import { DaemonState } from "../../core/DaemonState.ts"
import { ServerTls } from "../../net/ServerTls.ts"
import { type Connection, type Listener, Transport } from "../../net/Transport.ts"
import { refusedValue } from "../../options/OptionsError.ts"
import { isTlsRequired, NsqdOptions } from "../options/NsqdOptions.ts"
import * as ClientLoop from "./ClientLoop.ts"

type Handler = (connection: Connection) => Effect.Effect<void, never, Scope.Scope>

/** Handles at most `most` connections at a time; others get an error and are closed. 0 for no limit. */
const limited = (most: number, handle: Handler): Handler => {
  if (most <= 0) return handle
  const refusal = protocolError("E_INVALID", `too many connections, ${most} are allowed`)
  const frame = encodeFrame(FrameType.error, Buffer.from(refusal.message))
  let open = 0
  return (connection) =>
    Effect.suspend(() => {
      if (open >= most) {
        connection.write(frame)
        return Effect.logWarning(`TCP: refused client(${connection.remoteAddress}), --max-connections=${most} are open`)
      }
      open++
      return Effect.ensuring(handle(connection), Effect.sync(() => void open--))
    })
}

/** Every client would be refused. A daemon has checked it by now; this is for brokers that a program composes by hand. */
const noTls = () => refusedValue("cannot require TLS client connections without ServerTls")

/**
 * nsqd's TCP listener, on `tcpAddress`. Its port is in `DaemonState`. Fails if it cannot listen there, and if the options require
 * TLS without a `ServerTls`.
 *
 * @since 0.1.0
 * @category services
 */
export class TcpServer extends Context.Service<TcpServer, Listener>()("effect-nsq/transport/TcpServer") {
  static readonly layer = Layer.effect(
    TcpServer,
    Effect.gen(function*() {
      const options = yield* NsqdOptions
      const { maxConnections, tcpAddress } = options
      if (isTlsRequired(options) && (yield* ServerTls) === undefined) return yield* noTls()
      const transport = yield* Transport
      const handle = limited(maxConnections, yield* ClientLoop.make)
      const listener = yield* transport.listen(tcpAddress, handle)
      yield* Effect.logInfo(`TCP: listening on ${listener.address}`)
      const state = yield* DaemonState
      state.listening("tcp", listener.port)
      yield* Effect.addFinalizer(() => Effect.logInfo(`TCP: closing ${listener.address}`))
      return listener
    })
  )
}
