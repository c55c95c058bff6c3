/**
 * The source of clients' permissions. Default: none, which permits everything. `AuthServers` implements it for auth
 * servers; a program that embeds the broker can provide its own.
 */
import { Context, type Effect, type Redacted } from "effect"
import type { AuthError } from "./AuthError.ts"
import type { Grant } from "./Grant.ts"

/**
 * The data about a client that authorization is based on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credentials {
  /** The body of the client's AUTH; arbitrary bytes. */
  readonly secret: Redacted.Redacted<Buffer>
  /** Empty for a unix socket. */
  readonly remoteIp: string
  readonly tls: boolean
  /** The common name of the client certificate's subject; empty without a certificate. */
  readonly commonName: string
}

/**
 * Returns the permissions of clients; fails if it cannot obtain them, for example with `AuthError.refusal("unknown secret")`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Authorizer {
  readonly query: (credentials: Credentials) => Effect.Effect<Grant, AuthError>
}

/** The authorizer of a broker; `undefined` permits everything. */
export const Authorizer: Context.Reference<Authorizer | undefined> = Context.Reference(
  "effect-nsq/auth/Authorizer",
  { defaultValue: (): Authorizer | undefined => undefined }
)
