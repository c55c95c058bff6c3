/**
 * The state of a running daemon that several of its services read: the ports of its listeners, its phase between start and stop,
 * and whether it has lost messages. Only methods change it.
 */
import { Context, Effect, Layer, Option } from "effect"

/** `running`: everything stored is restored and every listener accepts connections. */
export type Phase = "starting" | "running" | "stopping"

/** A listener of a daemon. */
export type ListenerName = "tcp" | "http" | "https"

class State {
  private currentPhase: Phase = "starting"
  private readonly ports = { tcp: 0, http: 0, https: 0 }
  private lost = false
  private readonly enclosing: State | undefined

  constructor(enclosing: State | undefined) {
    this.enclosing = enclosing
  }

  get phase(): Phase {
    return this.currentPhase
  }
  /** The bound port for clients; -1 for a unix socket, 0 before it is bound. */
  get tcpPort(): number {
    return this.ports.tcp
  }
  /** The bound port of the HTTP API; -1 for a unix socket, 0 before it is bound and without HTTP. */
  get httpPort(): number {
    return this.ports.http
  }
  /** The bound port of the HTTPS API; 0 before it is bound and without HTTPS. */
  get httpsPort(): number {
    return this.ports.https
  }
  /** Whether messages or metadata were lost. */
  get hasLost(): boolean {
    return this.lost
  }

  /** Records the port that a listener has bound. */
  listening(listener: ListenerName, port: number): void {
    this.ports[listener] = port
  }
  /** Records that the start is complete. */
  running(): void {
    this.currentPhase = "running"
  }
  /** Records that the daemon has begun to stop. */
  stopping(): void {
    this.currentPhase = "stopping"
  }
  /** Records that messages or metadata are lost. The program then exits with code 1, even after an orderly stop. */
  lose(): void {
    this.lost = true
    this.enclosing?.lose()
  }
}

/**
 * The state of the daemon around the caller.
 *
 * @since 0.1.0
 * @category services
 */
export class DaemonState extends Context.Service<DaemonState, State>()("effect-nsq/core/DaemonState") {
  static readonly make = (): State => new State(undefined)

  /** Gives each daemon its own state. Losses are also reported to the state of the enclosing program. */
  static readonly layer: Layer.Layer<DaemonState> = Layer.fresh(Layer.effect(
    DaemonState,
    Effect.map(Effect.serviceOption(DaemonState), (enclosing) => new State(Option.getOrUndefined(enclosing)))
  ))

  /** Reports a loss to the daemon around the caller; does nothing in a broker that is not part of a daemon. */
  static readonly lose: Effect.Effect<void> = Effect.map(
    Effect.serviceOption(DaemonState),
    Option.match({ onNone: () => undefined, onSome: (state) => state.lose() })
  )
}
