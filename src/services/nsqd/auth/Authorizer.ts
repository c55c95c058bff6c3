/**
 * Who says what clients may do. There is nobody unless auth servers are configured, and then everything is allowed. The
 * live one is `AuthServers`; a program that embeds the broker can provide its own.
 */
import { Context, Data, type Effect, type Redacted } from "effect"
import type { Grant } from "./Grant.ts"

/** What is known of a client that wants to do something. */
export interface Credentials {
  /** What the client sent with AUTH; any bytes. */
  readonly secret: Redacted.Redacted<Buffer>
  /** Empty for a unix socket. */
  readonly remoteIp: string
  readonly tls: boolean
  /** From the subject of the client's certificate; empty when there is none. */
  readonly commonName: string
}

/** Nobody said what the client may do. The reason is for the log, not for the client, and never has the secret in it. */
export class AuthFailed extends Data.TaggedError("AuthFailed")<{ readonly reason: string }> {}

export interface Authorizer {
  readonly query: (credentials: Credentials) => Effect.Effect<Grant, AuthFailed>
}

/** The authorizer of a broker; `undefined` when everything is allowed. */
export const Authorizer: Context.Reference<Authorizer | undefined> = Context.Reference(
  "effect-nsq/auth/Authorizer",
  { defaultValue: (): Authorizer | undefined => undefined }
)
