variable "tags" { type = map(string) }

module "queue" {
  source   = "../stack"
  for_each = toset(["linux", "linux.arm"])
  name     = each.key
  tags     = var.tags
}
