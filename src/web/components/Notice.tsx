import type { ReactNode } from "react"

/** A box with a message, which screen readers announce; errors interrupt them. */
export const Notice = ({ children, kind }: {
  readonly kind: "error" | "warning" | "info" | "success"
  readonly children: ReactNode
}) => <div className={`notice ${kind}`} role={kind === "error" ? "alert" : "status"}>{children}</div>

/** The warning of a response; nothing if it is empty. */
export const ResponseWarning = ({ message }: { readonly message: string }) =>
  message === "" ? null : <Notice kind="warning">{message}</Notice>
