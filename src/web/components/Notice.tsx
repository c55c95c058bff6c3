import type { ReactNode } from "react"

/** A box that says something: `error` and `warning` are also read out. */
export const Notice = ({ children, kind }: {
  readonly kind: "error" | "warning" | "info" | "success"
  readonly children: ReactNode
}) => <div className={`notice ${kind}`} role={kind === "error" ? "alert" : "status"}>{children}</div>

/** The warning that an answer came with, if any. */
export const AnswerWarning = ({ message }: { readonly message: string }) =>
  message === "" ? null : <Notice kind="warning">{message}</Notice>
