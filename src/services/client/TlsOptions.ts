/** TLS of clients. Without types of Effect, because `effect-nsq/promise` has them, too. */

/**
 * TLS of a client's connections.
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsOptions {
  /** Certificates to trust, in PEM: a root, an intermediate, or the server's own. Default: those of the system. */
  readonly ca?: string | Buffer
  /** The client's own certificate, in PEM. Default: none. */
  readonly cert?: string | Buffer
  /** The key of `cert`, in PEM. Default: none. */
  readonly key?: string | Buffer
  /** Accepts every server certificate. Default: false. */
  readonly insecureSkipVerify?: boolean
  /** Oldest TLS version to accept. Default: that of Node. */
  readonly minVersion?: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3"
}
