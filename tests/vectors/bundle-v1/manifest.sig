attending-bundle/1
log.example/clinic
79cqtHaPSCfWTAg+o31rPGKQ/STOrDp+lOtiG0lssBQ=

— log.example/clinic L1S7lLNZS0jcz2dhXJIMBeXcjcbA1e2gm2vt9DZPdqQx6AfiqcV+b4MnIdGMgMreMcIU8s3+UjWpGDC0e3Iya8UWdgg=
