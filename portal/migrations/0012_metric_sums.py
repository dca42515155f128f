from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0011_worker_machines'),
    ]

    operations = [
        migrations.CreateModel(
            name='MetricSum',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('metric', models.CharField(max_length=80)),
                ('labels', models.CharField(help_text='Values of its labels, a JSON list in their order.', max_length=500)),
                ('value', models.FloatField(default=0)),
            ],
            options={
                'ordering': ['metric', 'labels'],
                'constraints': [models.UniqueConstraint(fields=('metric', 'labels'), name='one_sum_per_labels')],
            },
        ),
    ]
