"""For each parameter with a rule: valid and invalid values."""

KEY = "01234567-89ab-cdef-0123-456789abcdef"
POLICY = "arn:aws:iam::123456789012:policy/p"

EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "AgentEnvFileUrl": (
        ["s3://bucket/queues/q/env", "https://host:8443/~user/env?v=1", "ssm:/buildkite/env"],
        ["https://h/e;touch pwned", "https://h/e?a=1&b=2", "s3://b/a b", "https://h/(e)", "env"],
    ),
    "BootstrapScriptUrl": (
        ["s3://bucket/a(1).sh", "https://host/s?a=1&b=2", "file:///etc/script"],
        ["bucket/script.sh", "s3://bucket/a b", "ftp://host/s"],
    ),
    "AuthorizedUsersUrl": (["https://host/keys"], ["host/keys"]),
    "AgentEndpoint": (["https://agent-edge.buildkite.com/v3"], ["agent.buildkite.com", "a b"]),
    "SecurityGroupIds": (
        ["sg-01234567", "sg-01234567,sg-0123456789abcdef0"],
        ["default", "sg-01234567, sg-01234568", "sg-01234567,sg-01234567", "vpc-01234567"],
    ),
    "SecurityGroupId": (["sg-01234567"], ["default"]),
    "Subnets": (
        ["subnet-01234567", "subnet-01234567,subnet-0123456789abcdef0"],
        ["subnet-01234567, subnet-01234568", "10.0.0.0/8", "subnet-01234567,"],
    ),
    "VpcId": (["vpc-01234567"], ["main", "vpc-xyz"]),
    "AvailabilityZones": (
        ["us-east-1a,us-east-1b", "us-gov-west-1a,us-gov-west-1c"],
        ["us-east-1a", "us-east-1a,us-east-1a", "us-east-1a, us-east-1b", "use1-az1,use1-az2"],
    ),
    "ImageId": (["ami-01234567", "ami-0123456789abcdef0"], ["ubuntu", "ami-"]),
    "ManagedPolicyARNs": (
        [POLICY, f"{POLICY},arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess"],
        ["ReadOnlyAccess", f"{POLICY}, {POLICY}2", f"{POLICY},{POLICY}"],
    ),
    "ManagedPolicyARN": ([POLICY], ["ReadOnlyAccess"]),
    "ScalerManagedPolicyARNs": ([POLICY], ["ReadOnlyAccess"]),
    "InstanceRolePermissionsBoundaryARN": ([POLICY], ["p"]),
    "InstanceRoleTags": (["team=ci,Owner=me"], ["team=ci,Team=me", "aws:x=y"]),
    "CostAllocationTagName": (["CreatedBy", "cost-center"], ["aws:createdBy", "Name", "Role"]),
    "ScalerMinPollInterval": (["10s", "1m30s", "1.5m"], ["10", "10 s", "ten", "1d"]),
    "ScalerEventScheduleJitter": (["0s", "30s"], ["30", "-5s "]),
    "ScalerEventSchedulePeriod": (
        ["1 minute", "5 minutes", "1 hour", "2 days"],
        ["30 seconds", "1 minutes", "5 minute", "0 minutes", "1m"],
    ),
    "InstanceBuffer": (["0", "3"], ["1.5", "-1"]),
    "ScaleInIdlePeriod": (["0", "600"], ["1.5", "-1"]),
    "ScaleInCooldownPeriod": (["3600"], ["0.5"]),
    "ScaleOutCooldownPeriod": (["300"], ["-300"]),
    "ScaleOutFactor": (["0.5", "2"], ["0", "-1"]),
    "ScaleUpSchedule": (
        ["0 8 * * MON-FRI", "*/15 8-18 1,15 1-6/2 0", "0 8 * * mon"],
        ["60 8 * * *", "0 24 * * *", "0 8 0 * *", "0 8 * 13 *", "0 8 * * MOO", "0 18-8 * * *"],
    ),
    "ScaleDownSchedule": (["0 18 * * MON-FRI"], ["0 18 32 * *"]),
    "ScheduleTimezone": (["UTC", "Europe/Berlin"], ["Berlin", "Europe/Atlantis", "GMT+25"]),
    "InstanceCreationTimeout": (
        ["PT15M", "PT12H", "PT1H30M", "PT90S"],
        ["15M", "PT", "P1D", "PT12H1S", "PT0M", "PT1.5H"],
    ),
    "RootVolumeType": (["gp2", "gp3", "io1", "io2", "standard"], ["st1", "sc1", "ssd"]),
    "RootVolumeName": (["/dev/xvda"], ["xvda", "/dev/nvme0n1p1"]),
    "DockerIPv4AddressPool1": (["172.16.0.0/12", "10.0.0.0/19"], ["10.0.0.0/20", "10.0.0.0/28"]),
    "DockerIPv4AddressPool2": (["192.168.0.0/16", "10.0.0.0/23"], ["10.0.0.0/24"]),
    "DockerIPv6AddressPool": (["2001:db8:2::/104"], ["2001:db8:2::/112", "2001:db8:2::/128"]),
    "BuildkiteAgentTokenParameterStoreKMSKey": (
        [KEY, "mrk-0123456789abcdef0123456789abcdef"],
        ["alias/token", f"arn:aws:kms:us-east-1:123456789012:key/{KEY}"],
    ),
    "PipelineSigningKMSKeyId": (
        [KEY, f"arn:aws:kms:us-east-1:123456789012:key/{KEY}"],
        ["alias/signing", "arn:aws:kms:us-east-1:123456789012:alias/signing"],
    ),
    "SecretsBucket": (["acme-secrets"], ["s3://acme-secrets", "acme/secrets"]),
    "ArtifactsBucket": (["acme-artifacts"], ["s3://acme-artifacts"]),
    "SecretsBucketRegion": (["us-east-1", "us-gov-west-1"], ["us-east-1a", "virginia"]),
    "ArtifactsBucketRegion": (["eu-west-1"], ["europe"]),
    "InstanceRoleName": (["agents"], ["a b", "a/b"]),
}
