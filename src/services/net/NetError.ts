/**
 * The error of the network: sockets, TLS, compression, UDP and names. Each operation states the reason that it fails with.
 */
import { Data } from "effect"

/**
 * The reasons of a `NetError`. `description` is the text of the operating system, or of Go's TLS if Go has the same error.
 *
 * @since 0.2.0
 * @category errors
 */
export type NetErrorReason = Data.TaggedEnum<{
  /** An address cannot be listened on, or the listener is broken. */
  ListenFailure: { readonly address: string; readonly description: string }
  /** An address cannot be connected to. */
  ConnectFailure: { readonly address: string; readonly description: string }
  /** The peer or the network ended a connection prematurely, or sent invalid compressed data. */
  ConnectionLoss: { readonly description: string }
  /** A TLS handshake failed. */
  HandshakeFailure: { readonly description: string }
  /** The TLS configuration cannot be used. */
  InvalidTlsConfig: { readonly description: string }
  /**
   * A datagram cannot be sent to `address`, or an earlier one was refused, for example because no process listens on the port.
   */
  DatagramFailure: { readonly address: string; readonly description: string }
  /** Another daemon announced the address, and `DaemonNetworks` does not allow it. */
  AddressRefusal: { readonly description: string }
  /** A host has no IP address, or its name cannot be resolved. */
  UnknownHost: { readonly description: string }
  /** `description` is not a network in CIDR notation. */
  InvalidNetwork: { readonly description: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const NetErrorReason = Data.taggedEnum<NetErrorReason>()

/**
 * A failure of the network.
 *
 * @since 0.2.0
 * @category errors
 */
export class NetError extends Data.TaggedError("NetError")<{
  readonly reason: NetErrorReason
  /** The error of Node, if there is one. */
  readonly cause?: unknown
}> {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "ListenFailure":
        return `listen (${reason.address}) failed - ${reason.description}`
      case "ConnectFailure":
        return `dial ${reason.address}: ${reason.description}`
      case "DatagramFailure":
        return `udp ${reason.address}: ${reason.description}`
      case "InvalidNetwork":
        return `invalid CIDR address: ${reason.description}`
      default:
        return reason.description
    }
  }
}

/** Returns the text of any thrown value. */
export const textOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

/** Creates the error of a listener. */
export const listenFailure = (address: string, cause: Error): NetError =>
  new NetError({ reason: NetErrorReason.ListenFailure({ address, description: cause.message }), cause })

/** Creates the error of a connection that cannot be made. */
export const connectFailure = (address: string, description: string): NetError =>
  new NetError({ reason: NetErrorReason.ConnectFailure({ address, description }) })

/** Creates the error of a connection that ended. */
export const connectionLoss = (description: string): NetError =>
  new NetError({ reason: NetErrorReason.ConnectionLoss({ description }) })

/** Creates the error of a TLS handshake. */
export const handshakeFailure = (description: string): NetError =>
  new NetError({ reason: NetErrorReason.HandshakeFailure({ description }) })

/** Creates the error of a TLS configuration. */
export const invalidTlsConfig = (description: string): NetError =>
  new NetError({ reason: NetErrorReason.InvalidTlsConfig({ description }) })

/** Creates the error of an address that must not be connected to. */
export const addressRefusal = (description: string): NetError =>
  new NetError({ reason: NetErrorReason.AddressRefusal({ description }) })

/** Creates the error of a host without an address. */
export const unknownHost = (description: string): NetError =>
  new NetError({ reason: NetErrorReason.UnknownHost({ description }) })

/** Creates the error of a datagram. */
export const datagramFailure = (address: string, cause: Error): NetError =>
  new NetError({ reason: NetErrorReason.DatagramFailure({ address, description: cause.message }), cause })
